/* RFC 2033: LHLO, and a reply for each recipient. */
#include "expect.h"

#include <stdio.h>

#define BANNER "220 mx.test ESMTP\r\n"
#define OPEN   "LHLO a\r\nMAIL FROM:<>\r\n"
#define OPENED BANNER EHLO_CLEAR "250 2.1.0 Sender OK\r\n"
#define THREE                                                                                      \
	"RCPT TO:<a@example.com>\r\nRCPT TO:<b@elsewhere>\r\nRCPT TO:<c@example.com>\r\n"          \
	"RCPT TO:<a@example.com>\r\n"
#define THREE_ACCEPTED                                                                             \
	"250 2.1.5 Recipient OK\r\n550 5.7.1 Relay access denied\r\n250 2.1.5 Recipient OK\r\n"    \
	"250 2.1.5 Recipient OK\r\n"
#define GO_AHEAD "354 End data with <CR><LF>.<CR><LF>\r\n"

static struct driver_script make(const char *input)
{
	struct driver_script script = {.input = input, .input_len = strlen(input)};

	script.settings = driver_settings();
	script.settings.lmtp = true;
	return script;
}

static void test_commands(void **state)
{
	struct driver_script script =
		make("EHLO a\r\nHELO a\r\nMAIL FROM:<>\r\nLHLO\r\nLHLO a\r\nEHLO a\r\nHELP\r\n");

	(void)state;
	expect(&script,
	       (struct expected){
		       .output = BANNER
		       "500 This is LMTP, say LHLO\r\n500 This is LMTP, say LHLO\r\n"
		       "503 5.5.1 Say LHLO first\r\n501 Argument missing\r\n" EHLO_CLEAR
		       "500 This is LMTP, say LHLO\r\n"
		       "214 2.0.0 LHLO STARTTLS MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\r\n"});
	expect_replies("LHLO a\r\n", "500 5.5.2 Command unrecognized\r\n");
}

static void test_each_recipient(void **state)
{
	struct driver_script script = make(OPEN THREE "DATA\r\nx\r\n.\r\nNOOP\r\n");

	(void)state;
	expect(&script, (struct expected){
				.output = OPENED THREE_ACCEPTED GO_AHEAD
				"250 2.0.0 OK id=T\r\n"
				"250 2.0.0 OK id=T\r\n"
				"250 2.0.0 OK id=T\r\n250 2.0.0 OK\r\n",
				.messages = "x\r\n#",
			});
	script = make(
		"LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n"
		"DATA\r\n.\r\nMAIL FROM:<>\r\n");
	expect(&script,
	       (struct expected){
		       .trace =
			       "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"
			       "ask ehlo LHLO=a\nLHLO 250 \"mx.test\" line=LHLO a helo=a\n"
			       "ask mail client=a address= local= domain=\n"
			       "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<> mailbox= begun\n"
			       "ask rcpt client=a address=a@example.com local=a domain=example.com "
			       "index=1 accepted=0 from=\n"
			       "RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<a@example.com> "
			       "mailbox=a@example.com\n"
			       "ask rcpt client=a address=b@example.com local=b domain=example.com "
			       "index=2 accepted=1 from=\n"
			       "RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<b@example.com> "
			       "mailbox=b@example.com\n"
			       "ask data client=a from= to=a@example.com to=b@example.com\n"
			       "DATA 354 \"End data with <CR><LF>.<CR><LF>\" line=DATA "
			       "recipients=2\n"
			       "ask message client=a from= to=a@example.com to=b@example.com "
			       "size=0\n"
			       "deliver\n"
			       "MESSAGE 250 2.0.0 \"OK id=T\" mailbox=a@example.com\n"
			       "MESSAGE 250 2.0.0 \"OK id=T\" mailbox=b@example.com ended\n"
			       "ask mail client=a address= local= domain=\n"
			       "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<> mailbox= begun\n",
	       });
}

/* Whatever the answer is, it is said for each. */
static void test_each_refusal(void **state)
{
	char text[] = "one\ntwo";
	struct driver_script script = make(OPEN THREE "DATA\r\nx\r\n.\r\nNOOP\r\n");

	(void)state;
	script.rules[0] =
		(struct driver_rule){HOOK_MESSAGE, 0, {.kind = VERDICT_REJECT, .text = text}};
	expect(&script, (struct expected){
				.output = OPENED THREE_ACCEPTED GO_AHEAD
				"554-5.7.1 one\r\n554 5.7.1 two\r\n554-5.7.1 one\r\n"
				"554 5.7.1 two\r\n554-5.7.1 one\r\n554 5.7.1 two\r\n"
				"250 2.0.0 OK\r\n",
			});
	script.rules[0].verdict.kind = VERDICT_DISCONNECT;
	script.rules[0].verdict.code = 554;
	expect(&script, (struct expected){
				.output = OPENED THREE_ACCEPTED GO_AHEAD
				"554-5.7.1 one\r\n554 5.7.1 two\r\n554-5.7.1 one\r\n"
				"554 5.7.1 two\r\n554-5.7.1 one\r\n554 5.7.1 two\r\n",
			});
	script.rules[0].verdict.code = 421;
	expect(&script, (struct expected){
				.output = OPENED THREE_ACCEPTED GO_AHEAD
				"421-4.7.0 one\r\n421 4.7.0 two\r\n",
			});
	script = make(OPEN THREE "DATA\r\nx\r\n.\r\nNOOP\r\n");
	script.delivery_code = 452;
	script.delivery_status = "4.3.1";
	script.delivery_text = "No room";
	expect(&script, (struct expected){
				.output = OPENED THREE_ACCEPTED GO_AHEAD
				"452 4.3.1 No room\r\n452 4.3.1 No room\r\n452 4.3.1 No room\r\n"
				"250 2.0.0 OK\r\n",
			});
	script = make(OPEN THREE "DATA\r\nx\n\r\n.\r\nNOOP\r\n");
	expect(&script, (struct expected){
				.output = OPENED THREE_ACCEPTED GO_AHEAD
				"550 5.6.0 Message has a CR or LF that is no CR LF\r\n"
				"550 5.6.0 Message has a CR or LF that is no CR LF\r\n"
				"550 5.6.0 Message has a CR or LF that is no CR LF\r\n"
				"250 2.0.0 OK\r\n",
			});
	script = make(OPEN THREE "BDAT 2 LAST\r\n\r\nNOOP\r\n");
	expect(&script, (struct expected){
				.output = OPENED THREE_ACCEPTED "250 2.0.0 OK id=T\r\n"
								"250 2.0.0 OK id=T\r\n"
								"250 2.0.0 OK id=T\r\n"
								"250 2.0.0 OK\r\n",
				.messages = "\r\n#",
			});
}

static void test_no_recipient(void **state)
{
	struct driver_script script =
		make(OPEN "DATA\r\nRCPT TO:<b@elsewhere>\r\nDATA\r\nBDAT 1 LAST\r\nxNOOP\r\n");

	(void)state;
	expect(&script, (struct expected){
				.output = OPENED "503 5.5.1 Say RCPT first\r\n"
						 "550 5.7.1 Relay access denied\r\n"
						 "503 5.5.1 No valid recipients\r\n"
						 "503 5.5.1 No valid recipients\r\n"
						 "250 2.0.0 OK\r\n",
			});
}

/* LMTP: the replies are those of the RCPT commands, whatever became of their recipients. */
static void test_edited_recipients(void **state)
{
	char x[] = "x@example.com", y[] = "y@example.com";
	struct edit edits[] = {
		{.kind = EDIT_DROP_RECIPIENT, .nth = 1},
		{.kind = EDIT_ADD_RECIPIENT, .value = x},
		{.kind = EDIT_ADD_RECIPIENT, .value = y},
	};
	struct driver_script script = {
		SCRIPT("LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\n"
		       "RCPT TO:<b@example.com>\r\nBDAT 1 LAST\r\nx"),
	};

	(void)state;
	script.rules[0] = (struct driver_rule){HOOK_DATA, 1, {.edits = edits, .edits_len = 3}};
	script.settings = driver_settings();
	script.settings.lmtp = true;
	expect(&script,
	       (struct expected){
		       .trace = "ask connect\nGREETING 220 \"mx.test ESMTP\"\nask ehlo LHLO=c\n"
				"LHLO 250 \"mx.test\" line=LHLO c helo=c\n"
				"ask mail client=c address= local= domain=\n"
				"MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<> mailbox= begun\n"
				"ask rcpt client=c address=a@example.com local=a "
				"domain=example.com index=1 accepted=0 from=\n"
				"RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<a@example.com> "
				"mailbox=a@example.com\n"
				"ask rcpt client=c address=b@example.com local=b "
				"domain=example.com index=2 accepted=1 from=\n"
				"RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<b@example.com> "
				"mailbox=b@example.com\n"
				"ask data client=c from= to=a@example.com to=b@example.com\n"
				"ask data client=c from= to=b@example.com to=x@example.com "
				"to=y@example.com\n"
				"ask message client=c from= to=b@example.com to=x@example.com "
				"to=y@example.com size=1\n"
				"deliver\n"
				"MESSAGE 250 2.0.0 \"OK id=T\" line=BDAT 1 LAST "
				"mailbox=a@example.com\n"
				"MESSAGE 250 2.0.0 \"OK id=T\" mailbox=b@example.com ended\n"});
}

/* More replies than fit: the engine waits until they have drained, and the end of the session does
 * not wait for them. */
static void test_many(void **state)
{
	static char input[64000];
	struct smtp_settings settings = driver_settings();
	struct verdict accept = {.kind = VERDICT_ACCEPT};
	struct buf in, out;
	struct smtp *smtp;
	enum smtp_step step;
	unsigned replies = 0, waits = 0;
	size_t len = 0;

	(void)state;
	settings.lmtp = true;
	settings.recipients = 1000;
	settings.commands = 5000;
	len += (size_t)snprintf(input, sizeof input, OPEN);
	for (int i = 0; i < 1000; i++)
		len += (size_t)snprintf(input + len, sizeof input - len,
					"RCPT TO:<a%d@example.com>\r\n", i);
	len += (size_t)snprintf(input + len, sizeof input - len, "DATA\r\n.\r\n");
	buf_init(&in, SMTP_IN_MAX);
	buf_init(&out, SMTP_OUT_MAX);
	buf_append(&in, input, len);
	smtp = smtp_new(&settings);
	do {
		step = smtp_step(smtp, &in, &out);
		if (step == SMTP_NEED_VERDICT)
			smtp_verdict(smtp, &accept);
		else if (step == SMTP_NEED_DELIVERY)
			smtp_delivered(smtp, 250, "2.0.0",
				       "OK with a text of some length, that a thousand of it are "
				       "more than fits");
		else if (step == SMTP_GOT_REPLY)
			replies += smtp_last_reply(smtp)->verb == SMTP_MESSAGE;
		else if (step == SMTP_NEED_INPUT && ++waits && replies < 500)
			buf_consume(&out, out.len);
		assert_int_not_equal(step, SMTP_FINISHED);
	} while (step != SMTP_NEED_INPUT || replies < 500);
	assert_in_range(replies, 500, 999);
	assert_false(out.overflow);
	smtp_end(smtp, DISCONNECT_SHUTDOWN);
	assert_int_equal(smtp_step(smtp, &in, &out), SMTP_GOT_REPLY);
	assert_int_equal(smtp_last_reply(smtp)->code, 421);
	assert_int_equal(smtp_last_reply(smtp)->verb, SMTP_MESSAGE);
	assert_true(smtp_last_reply(smtp)->transaction_ended);
	assert_int_equal(smtp_step(smtp, &in, &out), SMTP_FINISHED);
	smtp_free(&smtp);
	buf_fini(&in);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),     cmocka_unit_test(test_each_recipient),
		cmocka_unit_test(test_each_refusal), cmocka_unit_test(test_no_recipient),
		cmocka_unit_test(test_many),	     cmocka_unit_test(test_edited_recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
