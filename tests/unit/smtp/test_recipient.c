/* The delivery is asked for each recipient, and answers in LMTP for each. */
#include "expect.h"

#include <stdio.h>

#define BANNER	 "220 mx.test ESMTP\r\n"
#define OPEN	 "HELO a\r\nMAIL FROM:<>\r\n"
#define OPENED	 BANNER "250 mx.test\r\n250 2.1.0 Sender OK\r\n"
#define GO_AHEAD "354 End data with <CR><LF>.<CR><LF>\r\n"

static char text[] = "Of the service";

static struct driver_script make(const char *input)
{
	struct driver_script script = {.input = input, .input_len = strlen(input)};

	script.settings = driver_settings();
	script.settings.recipients_asked = true;
	return script;
}

static const struct {
	struct driver_answer answer;
	const char *reply;
} answers[] = {
	{{250, "2.1.5", "Taken"}, "250 2.1.5 Taken"},
	{{251, "2.1.5", "Will forward"}, "251 2.1.5 Will forward"},
	{{250, "", "Taken"}, "250 2.0.0 Taken"},
	{{550, "5.1.1", "No such user"}, "550 5.1.1 No such user"},
	{{450, "4.2.1", "Busy"}, "450 4.2.1 Busy"},
	{{450, "5.2.1", "Another class"}, "450 4.0.0 Another class"},
	{{550, "", "No status"}, "550 5.0.0 No status"},
	{{421, "4.3.2", "Shutting down"}, "451 4.3.2 Shutting down"},
	{{421, "", ""}, "451 4.0.0 "},
	{{599, "5.999.999", "a\r\x80\x01z"}, "599 5.999.999 a???z"},
	{{550, "5.1.1", "Two\nlines"}, "550-5.1.1 Two\r\n550 5.1.1 lines"},
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		char output[256];
		struct driver_script script =
			make(OPEN "RCPT TO:<a@example.com>\r\nNOOP\r\nRCPT TO:<b@example.com>\r\n");

		script.recipients[0] = answers[i].answer;
		snprintf(output, sizeof output, OPENED "%s\r\n250 2.0.0 OK\r\n250 2.1.5 Taken\r\n",
			 answers[i].reply);
		expect(&script, (struct expected){.output = output});
	}
}

/* Who is refused by a service or the relay rule, or dropped, is nobody's business behind. */
static void test_order(void **state)
{
	struct driver_script script = make(
		OPEN
		"RCPT TO:<a@example.com>\r\nRCPT TO:<b@elsewhere>\r\nRCPT TO:<c@example.com>\r\n"
		"RCPT TO:<d@example.com>\r\nRCPT TO:<e@example.com>\r\n");

	(void)state;
	script.rules[0] = (struct driver_rule){HOOK_RCPT, 1, {.kind = VERDICT_REJECT}};
	script.rules[1] = (struct driver_rule){HOOK_RCPT, 2, {.kind = VERDICT_DISCARD}};
	script.recipients[0] = (struct driver_answer){550, "5.1.1", "No such user"};
	expect(&script,
	       (struct expected){
		       .trace = "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"
				"ask ehlo HELO=a\nHELO 250 \"mx.test\" line=HELO a helo=a\n"
				"ask mail client=a address= local= domain=\n"
				"MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<> mailbox= begun\n"
				"ask rcpt client=a address=a@example.com local=a "
				"domain=example.com index=1 accepted=0 from=\n"
				"RCPT 550 5.7.1 \"Refused by policy\" line=RCPT "
				"TO:<a@example.com> mailbox=a@example.com\n"
				"RCPT 550 5.7.1 \"Relay access denied\" line=RCPT "
				"TO:<b@elsewhere> mailbox=b@elsewhere\n"
				"ask rcpt client=a address=c@example.com local=c "
				"domain=example.com index=3 accepted=0 from=\n"
				"RCPT 250 2.1.5 \"Recipient OK\" line=RCPT "
				"TO:<c@example.com> mailbox=c@example.com discarded\n"
				"ask rcpt client=a address=d@example.com local=d "
				"domain=example.com index=4 accepted=0 from=\n"
				"recipient d@example.com\n"
				"RCPT 550 5.1.1 \"No such user\" line=RCPT "
				"TO:<d@example.com> mailbox=d@example.com by delivery\n"
				"ask rcpt client=a address=e@example.com local=e "
				"domain=example.com index=5 accepted=0 from=\n"
				"recipient e@example.com\n"
				"RCPT 250 2.1.5 \"Taken\" line=RCPT TO:<e@example.com> "
				"mailbox=e@example.com\n",
	       });
}

static void test_own_words(void **state)
{
	struct driver_script script = make(OPEN "RCPT TO:<a@example.com>\r\n"
						"RCPT TO:<b@example.com>\r\n");

	(void)state;
	script.rules[0] = (struct driver_rule){
		.hook = HOOK_RCPT,
		.verdict = {.kind = VERDICT_ACCEPT, .code = 251, .status = "2.1.9", .text = text},
	};
	script.recipients[1] = (struct driver_answer){450, "4.2.1", "Busy"};
	expect(&script, (struct expected){
				.output = OPENED "251 2.1.9 Of the service\r\n450 4.2.1 Busy\r\n",
			});
}

/* All of a discarded transaction is accepted in appearance; what the client does wrong counts. */
static void test_not_asked(void **state)
{
	struct driver_script script =
		make(OPEN "RCPT TO:<a@example.com>\r\nRCPT TO:<b@elsewhere>\r\n");

	(void)state;
	script.rules[0] = (struct driver_rule){HOOK_MAIL, 0, {.kind = VERDICT_DISCARD}};
	script.recipients[0] = (struct driver_answer){550, "5.1.1", "No such user"};
	script.settings.errors = 1;
	expect(&script, (struct expected){
				.output = OPENED
				"250 2.1.5 Recipient OK\r\n550 5.7.1 Relay access denied\r\n",
			});
}

/* A list full of dead addresses is no attack. */
static void test_no_fault(void **state)
{
	struct driver_script script =
		make(OPEN "RCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n"
			  "RCPT TO:<c@example.com>\r\nDATA\r\n");

	(void)state;
	script.settings.errors = 1;
	for (size_t i = 0; i < 3; i++)
		script.recipients[i] = (struct driver_answer){550, "5.1.1", "No"};
	expect(&script, (struct expected){
				.output = OPENED "550 5.1.1 No\r\n550 5.1.1 No\r\n550 5.1.1 No\r\n"
						 "554 5.5.1 No valid recipients\r\n",
			});
}

static void test_end(void **state)
{
	struct driver_script script = make(OPEN "RCPT TO:<a@example.com>\r\nNOOP\r\n");

	(void)state;
	script.end_at_recipient = true;
	script.end = DISCONNECT_SHUTDOWN;
	expect(&script, (struct expected){
				.output = OPENED "421 4.3.2 mx.test Service shutting down\r\n",
			});
	script.end = DISCONNECT_CLIENT_GONE;
	expect(&script, (struct expected){.output = OPENED});
}

/* --- LMTP --- */

#define LMTP_OPEN                                                                                  \
	"LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n"         \
	"RCPT TO:<c@example.com>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n"
#define LMTP_OPENED                                                                                \
	BANNER EHLO_CLEAR "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n"                      \
			  "250 2.1.5 Recipient OK\r\n250 2.1.5 Recipient OK\r\n" GO_AHEAD

static struct driver_script make_lmtp(void)
{
	struct driver_script script = make(LMTP_OPEN);

	script.settings.lmtp = true;
	script.settings.recipients_asked = false;
	script.delivery_code = 451;
	script.delivery_status = "4.3.0";
	script.delivery_text = "Not for all";
	return script;
}

static void test_results(void **state)
{
	struct driver_script script = make_lmtp();

	(void)state;
	script.results[0] = (struct driver_answer){250, "2.0.0", "Stored"};
	script.results[2] = (struct driver_answer){421, "", "Full\nQuota"};
	expect(&script, (struct expected){
				.output = LMTP_OPENED
				"250 2.0.0 Stored\r\n451 4.3.0 Not for all\r\n"
				"451-4.0.0 Full\r\n451 4.0.0 Quota\r\n250 2.0.0 OK\r\n",
				.messages = "x\r\n#",
			});
	script.rules[0] = (struct driver_rule){
		.hook = HOOK_MESSAGE,
		.verdict = {.kind = VERDICT_ACCEPT, .text = text},
	};
	expect(&script, (struct expected){
				.output = LMTP_OPENED
				"250 2.0.0 Of the service\r\n451 4.3.0 Not for all\r\n"
				"451-4.0.0 Full\r\n451 4.0.0 Quota\r\n250 2.0.0 OK\r\n",
			});
}

/* Places are those of the list that the delivery has: a is dropped, d is added behind c. */
static void test_results_edited(void **state)
{
	static char d_address[] = "d@example.com";
	struct edit edits[] = {{.kind = EDIT_DROP_RECIPIENT, .nth = 1},
			       {.kind = EDIT_ADD_RECIPIENT, .value = d_address}};
	struct driver_script script = make_lmtp();

	(void)state;
	script.rules[0] = (struct driver_rule){
		.hook = HOOK_MESSAGE,
		.verdict = {.kind = VERDICT_ACCEPT, .edits = edits, .edits_len = 2},
	};
	script.results[0] = (struct driver_answer){550, "5.1.1", "Not b"};
	script.results[1] = (struct driver_answer){250, "2.0.0", "To c"};
	script.results[2] = (struct driver_answer){452, "4.2.2", "Not d"};
	expect(&script, (struct expected){
				.output = LMTP_OPENED "451 4.3.0 Not for all\r\n550 5.1.1 Not b\r\n"
						      "250 2.0.0 To c\r\n250 2.0.0 OK\r\n",
			});
}

/* A message counts when anybody has it. */
static void test_results_count(void **state)
{
	struct driver_script script = make_lmtp();

	(void)state;
	script.input = "LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\n"
		       "RCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\nDATA\r\nx\r\n.\r\n"
		       "MAIL FROM:<>\r\n";
	script.input_len = strlen(script.input);
	script.settings.messages = 1;
	script.results[1] = (struct driver_answer){250, "2.0.0", "Stored"};
	expect(&script, (struct expected){
				.output = BANNER EHLO_LINES
				"250-STARTTLS\r\n250 LIMITS RCPTMAX=100 MAILMAX=1\r\n"
				"250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n"
				"250 2.1.5 Recipient OK\r\n250 2.1.5 Recipient OK\r\n" GO_AHEAD
				"451 4.3.0 Not for all\r\n250 2.0.0 Stored\r\n451 4.3.0 Not for "
				"all\r\n"
				"421 4.7.0 mx.test Too many messages in one connection\r\n",
			});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),	      cmocka_unit_test(test_order),
		cmocka_unit_test(test_own_words),     cmocka_unit_test(test_not_asked),
		cmocka_unit_test(test_no_fault),      cmocka_unit_test(test_end),
		cmocka_unit_test(test_results),	      cmocka_unit_test(test_results_edited),
		cmocka_unit_test(test_results_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
