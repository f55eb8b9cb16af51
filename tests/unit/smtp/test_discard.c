/* A discard: the client is told what an accept tells it, and nothing comes of it. */
#include "expect.h"

#include <stdio.h>

#define OPEN	 "HELO c\r\nMAIL FROM:<>\r\n"
#define OPENED	 "220 mx.test ESMTP\r\n250 mx.test\r\n250 2.1.0 Sender OK\r\n"
#define BOB	 "RCPT TO:<bob@example.com>\r\n"
#define CAROL	 "RCPT TO:<carol@example.com>\r\n"
#define BOB_OK	 "250 2.1.5 Recipient OK\r\n"
#define CAROL_OK BOB_OK
#define GO_AHEAD "354 End data with <CR><LF>.<CR><LF>\r\n"
#define DONE	 "250 2.0.0 OK id=T\r\n"
#define TEXT	 "DATA\r\nx\r\n.\r\n"
#define ACCEPTED OPENED BOB_OK CAROL_OK GO_AHEAD DONE

static struct driver_script make(const char *input, enum hook hook, unsigned nth)
{
	struct driver_script script = {.input = input, .input_len = strlen(input)};

	script.settings = driver_settings();
	script.rules[0] = (struct driver_rule){hook, nth, {.kind = VERDICT_DISCARD}};
	return script;
}

/* Wherever it is said, the client sees the replies of an honest accept, and nothing is stored. */
static void test_client_cannot_tell(void **state)
{
	static const enum hook hooks[] = {HOOK_MAIL, HOOK_RCPT, HOOK_DATA, HOOK_MESSAGE};
	struct driver_script script;

	(void)state;
	for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++) {
		script = make(OPEN BOB CAROL TEXT, hooks[i], 0);
		expect(&script, (struct expected){.output = ACCEPTED, .messages = ""});
		script = make(OPEN BOB CAROL "BDAT 2\r\nx\rBDAT 1 LAST\r\n\nBDAT 0\r\n", hooks[i],
			      0);
		expect(&script, (struct expected){
					.output = OPENED BOB_OK CAROL_OK
					"250 2.0.0 2 octets received\r\n" DONE
					"503 5.5.1 Say MAIL first\r\n",
					.messages = "",
				});
	}
	script = make(OPEN BOB CAROL TEXT, HOOK_MAIL, 2);
	expect(&script, (struct expected){.output = ACCEPTED, .messages = "x\r\n#"});
}

/* Its own code and text are said as those of an accept are. */
static void test_own_text(void **state)
{
	char text[] = "Sure";
	struct driver_script script;

	(void)state;
	script = make(OPEN BOB CAROL TEXT, HOOK_MAIL, 0);
	script.rules[0].verdict.text = text;
	script.rules[0].verdict.code = 259;
	script.rules[1] = (struct driver_rule){HOOK_RCPT, 0, script.rules[0].verdict};
	expect(&script, (struct expected){
				.output = "220 mx.test ESMTP\r\n250 mx.test\r\n"
					  "259 2.1.0 Sure\r\n" BOB_OK CAROL_OK GO_AHEAD DONE,
			});
	script = make(OPEN BOB CAROL TEXT, HOOK_RCPT, 1);
	script.rules[0].verdict.text = text;
	script.rules[1] =
		(struct driver_rule){HOOK_DATA, 0, {.kind = VERDICT_DISCARD, .text = text}};
	expect(&script, (struct expected){
				.output = OPENED "250 2.1.5 Sure\r\n" CAROL_OK "354 Sure\r\n" DONE,
			});
	script = make(OPEN BOB CAROL TEXT, HOOK_MESSAGE, 0);
	script.rules[0].verdict.text = text;
	expect(&script,
	       (struct expected){.output = OPENED BOB_OK CAROL_OK GO_AHEAD "250 2.0.0 Sure\r\n"});
	/* What cannot be delivered honestly is not told as done. */
	script.delivery_code = 451;
	script.delivery_status = "4.3.0";
	script.delivery_text = "Later";
	expect(&script,
	       (struct expected){.output = OPENED BOB_OK CAROL_OK GO_AHEAD "451 4.3.0 Later\r\n"});
}

#define START                                                                                      \
	"ask connect\nGREETING 220 \"mx.test ESMTP\"\nask ehlo HELO=c\n"                           \
	"HELO 250 \"mx.test\" line=HELO c helo=c\nask mail client=c address= local= domain=\n"
#define MAIL_TRACE START "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<> mailbox= begun\n"
#define LMTP_TRACE                                                                                 \
	"ask connect\nGREETING 220 \"mx.test ESMTP\"\nask ehlo LHLO=c\n"                           \
	"LHLO 250 \"mx.test\" line=LHLO c helo=c\nask mail client=c address= local= domain=\n"     \
	"MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<> mailbox= begun\n"
#define BOB_ASKED                                                                                  \
	"ask rcpt client=c address=bob@example.com local=bob domain=example.com index=1 "          \
	"accepted=0 from=\n"
#define BOB_TRACE                                                                                  \
	"RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<bob@example.com> mailbox=bob@example.com"
#define CAROL_TRACE                                                                                \
	"RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<carol@example.com> "                        \
	"mailbox=carol@example.com"
#define DATA_TRACE "DATA 354 \"End data with <CR><LF>.<CR><LF>\" line=DATA recipients=2"

/* After a discard at mail nobody is asked in this transaction; in the next one all are. */
static void test_mail(void **state)
{
	struct driver_script script =
		make(OPEN BOB CAROL TEXT "MAIL FROM:<>\r\n" BOB, HOOK_MAIL, 1);

	(void)state;
	expect(&script,
	       (struct expected){
		       .trace = START
		       "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<> mailbox= discarded "
		       "begun\n" BOB_TRACE " discarded\n" CAROL_TRACE " discarded\n" DATA_TRACE
		       " discarded\nthrow away\n"
		       "MESSAGE 250 2.0.0 \"OK id=T\" discarded ended\n"
		       "ask mail client=c address= local= domain=\n"
		       "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<> mailbox= begun\n" BOB_ASKED
			       BOB_TRACE "\n",
	       });
}

/* A recipient that was discarded is not shown to any service, and counts for DATA. */
static void test_one_recipient(void **state)
{
	struct driver_script script = make(OPEN BOB CAROL TEXT, HOOK_RCPT, 1);

	(void)state;
	expect(&script, (struct expected){
				.trace = MAIL_TRACE BOB_ASKED BOB_TRACE
				" discarded\n"
				"ask rcpt client=c address=carol@example.com local=carol "
				"domain=example.com index=2 accepted=0 from=\n" CAROL_TRACE "\n"
				"ask data client=c from= to=carol@example.com\n" DATA_TRACE "\n"
				"ask message client=c from= to=carol@example.com size=3\n"
				"deliver\nMESSAGE 250 2.0.0 \"OK id=T\" ended\n",
				.messages = "x\r\n#",
			});
}

/* When all of them were, nobody is asked about the message. */
static void test_all_recipients(void **state)
{
	struct driver_script script = make(OPEN BOB CAROL TEXT, HOOK_RCPT, 0);

	(void)state;
	expect(&script, (struct expected){
				.trace = MAIL_TRACE BOB_ASKED BOB_TRACE
				" discarded\n"
				"ask rcpt client=c address=carol@example.com local=carol "
				"domain=example.com index=2 accepted=0 from=\n" CAROL_TRACE
				" discarded\n" DATA_TRACE " discarded\nthrow away\n"
				"MESSAGE 250 2.0.0 \"OK id=T\" discarded ended\n",
			});
}

static void test_data_and_message(void **state)
{
	struct driver_script script = make(OPEN BOB "DATA\r\nx\r\n.\r\n", HOOK_DATA, 0);

	(void)state;
	expect(&script,
	       (struct expected){
		       .trace = MAIL_TRACE BOB_ASKED BOB_TRACE
		       "\n"
		       "ask data client=c from= to=bob@example.com\n"
		       "DATA 354 \"End data with <CR><LF>.<CR><LF>\" line=DATA recipients=1 "
		       "discarded\nthrow away\n"
		       "MESSAGE 250 2.0.0 \"OK id=T\" discarded ended\n",
	       });
	script.rules[0].hook = HOOK_MESSAGE;
	expect(&script,
	       (struct expected){
		       .trace = MAIL_TRACE BOB_ASKED BOB_TRACE
		       "\n"
		       "ask data client=c from= to=bob@example.com\n"
		       "DATA 354 \"End data with <CR><LF>.<CR><LF>\" line=DATA recipients=1\n"
		       "ask message client=c from= to=bob@example.com size=3\nthrow away\n"
		       "MESSAGE 250 2.0.0 \"OK id=T\" discarded ended\n",
	       });
}

/* The gateway's own rules hold for what is thrown away, or the client could tell. */
static void test_own_rules(void **state)
{
	static const struct {
		const char *lines, *replies;
	} table[] = {
		{"RCPT TO:<x@elsewhere>\r\n", "550 5.7.1 Relay access denied\r\n"},
		{"RCPT TO:<x>\r\n", "501 5.1.3 Bad address syntax\r\n"},
		{"RCPT TO:<x@example.com> A=B\r\n", "555 5.5.4 Unknown parameter\r\n"},
		{"DATA\r\n", "503 5.5.1 Say RCPT first\r\n"},
		{"RCPT TO:<x@elsewhere>\r\nDATA\r\n",
		 "550 5.7.1 Relay access denied\r\n554 5.5.1 No valid recipients\r\n"},
		{BOB CAROL BOB, BOB_OK CAROL_OK "452 4.5.3 Too many recipients\r\n"},
		{BOB "DATA\r\n0123456789\r\n.\r\n",
		 BOB_OK GO_AHEAD "552 5.3.4 Message too large\r\n"},
		{BOB "BDAT 11 LAST\r\n0123456789aNOOP\r\n",
		 BOB_OK "552 5.3.4 Message too large\r\n250 2.0.0 OK\r\n"},
		{BOB "DATA\r\nx\n\r\n.\r\n",
		 BOB_OK GO_AHEAD "550 5.6.0 Message has a CR or LF that is no CR LF\r\n"},
		{BOB "DATA\r\n\r\n.\r\nNOOP\r\n", BOB_OK GO_AHEAD DONE "250 2.0.0 OK\r\n"},
	};
	char input[300], output[300];
	struct driver_script script;

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		snprintf(input, sizeof input, OPEN "%s", table[i].lines);
		snprintf(output, sizeof output, OPENED "%s", table[i].replies);
		script = make(input, HOOK_MAIL, 0);
		script.settings.message_size = 10;
		script.settings.recipients = 2;
		expect(&script, (struct expected){.output = output, .messages = ""});
		/* The recipients that were discarded count as the others do. */
		script.rules[0].hook = HOOK_RCPT;
		expect(&script, (struct expected){.output = output, .messages = ""});
	}
}

/* No reply to a message that was refused says that it was discarded. */
static void test_refused(void **state)
{
	struct driver_script script = make(OPEN BOB TEXT, HOOK_MESSAGE, 0);

	(void)state;
	script.delivery_code = 451;
	script.delivery_status = "4.3.0";
	script.delivery_text = "Later";
	expect(&script,
	       (struct expected){
		       .trace = MAIL_TRACE BOB_ASKED BOB_TRACE
		       "\n"
		       "ask data client=c from= to=bob@example.com\n"
		       "DATA 354 \"End data with <CR><LF>.<CR><LF>\" line=DATA recipients=1\n"
		       "ask message client=c from= to=bob@example.com size=3\nthrow away\n"
		       "MESSAGE 451 4.3.0 \"Later\" ended\n",
	       });
	script = make(OPEN BOB "BDAT 11 LAST\r\n0123456789a", HOOK_DATA, 0);
	script.settings.message_size = 10;
	expect(&script, (struct expected){
				.trace = MAIL_TRACE BOB_ASKED BOB_TRACE
				"\n"
				"ask data client=c from= to=bob@example.com\n"
				"MESSAGE 552 5.3.4 \"Message too large\" line=BDAT 11 LAST ended\n",
			});
}

static void test_loop(void **state)
{
	static char input[2000];
	size_t len = (size_t)snprintf(input, sizeof input, OPEN BOB "DATA\r\n");
	struct driver_script script;

	(void)state;
	for (int i = 0; i < 51; i++)
		len += (size_t)snprintf(input + len, sizeof input - len, "Received: x\r\n");
	snprintf(input + len, sizeof input - len, "\r\n.\r\n");
	script = make(input, HOOK_MAIL, 0);
	expect(&script, (struct expected){.output = OPENED BOB_OK GO_AHEAD
					  "554 5.4.6 Too many hops, this is a mail loop\r\n"});
}

/* LMTP: the recipients that were discarded have their replies, in their places. */
static void test_lmtp(void **state)
{
	struct driver_script script =
		make("LHLO c\r\nMAIL FROM:<>\r\n" BOB CAROL BOB TEXT, HOOK_RCPT, 2);

	(void)state;
	script.settings.lmtp = true;
	expect(&script, (struct expected){
				.output = "220 mx.test ESMTP\r\n" EHLO_CLEAR
					  "250 2.1.0 Sender OK\r\n" BOB_OK CAROL_OK BOB_OK GO_AHEAD
						  DONE DONE DONE,
				.messages = "x\r\n#",
			});
	script.input = "LHLO c\r\nMAIL FROM:<>\r\n" BOB CAROL TEXT;
	script.input_len = strlen(script.input);
	expect(&script,
	       (struct expected){
		       .trace = LMTP_TRACE BOB_ASKED BOB_TRACE
		       "\n"
		       "ask rcpt client=c address=carol@example.com local=carol "
		       "domain=example.com index=2 accepted=1 from=\n" CAROL_TRACE " discarded\n"
		       "ask data client=c from= to=bob@example.com\n" DATA_TRACE "\n"
		       "ask message client=c from= to=bob@example.com size=3\ndeliver\n"
		       "MESSAGE 250 2.0.0 \"OK id=T\" mailbox=bob@example.com\n"
		       "MESSAGE 250 2.0.0 \"OK id=T\" mailbox=carol@example.com "
		       "discarded ended\n",
	       });
	/* A refusal is theirs too, and then nothing was discarded. */
	script.input = "LHLO c\r\nMAIL FROM:<>\r\n" BOB "BDAT 1 LAST\r\nx";
	script.input_len = strlen(script.input);
	script.rules[0].nth = 1;
	script.delivery_code = 451;
	script.delivery_status = "4.3.0";
	script.delivery_text = "Later";
	expect(&script, (struct expected){
				.trace = LMTP_TRACE BOB_ASKED BOB_TRACE
				" discarded\nthrow away\n"
				"MESSAGE 451 4.3.0 \"Later\" line=BDAT 1 LAST "
				"mailbox=bob@example.com ended\n",
			});
}

/* The first chunk is where DATA is, and each reply says what becomes of the message. */
static void test_chunks(void **state)
{
	struct driver_script script = make(OPEN BOB "BDAT 1\r\nxBDAT 1\r\ny"
						    "BDAT 1 LAST\r\nz",
					   HOOK_DATA, 0);

	(void)state;
	expect(&script, (struct expected){
				.trace = MAIL_TRACE BOB_ASKED BOB_TRACE
				"\n"
				"ask data client=c from= to=bob@example.com\n"
				"DATA 250 2.0.0 \"1 octets received\" line=BDAT 1 recipients=1 "
				"discarded\n"
				"BDAT 250 2.0.0 \"1 octets received\" line=BDAT 1 discarded\n"
				"throw away\n"
				"MESSAGE 250 2.0.0 \"OK id=T\" line=BDAT 1 LAST discarded ended\n",
			});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_cannot_tell),
		cmocka_unit_test(test_own_text),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_one_recipient),
		cmocka_unit_test(test_all_recipients),
		cmocka_unit_test(test_data_and_message),
		cmocka_unit_test(test_own_rules),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_lmtp),
		cmocka_unit_test(test_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
