#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

#define ENVELOPE "HELO a\r\nMAIL FROM:<s@t>\r\nRCPT TO:<u@example.com>\r\n"
#define BEGIN	 ENVELOPE "DATA\r\n"
#define SMALL	 BEGIN "Subject: x\r\n\r\nhi\r\n.\r\n"
#define ENVELOPED                                                                                  \
	"220 mx.test ESMTP\r\n250 mx.test\r\n250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n"
#define BEGUN ENVELOPED "354 End data with <CR><LF>.<CR><LF>\r\n"
#define ENVELOPE_TRACE                                                                             \
	"ask connect\nGREETING 220 \"mx.test ESMTP\"\n"                                            \
	"ask ehlo HELO=a\nHELO 250 \"mx.test\" line=HELO a helo=a\n"                               \
	"ask mail client=a address=s@t local=s domain=t\n"                                         \
	"MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<s@t> mailbox=s@t begun\n"                    \
	"ask rcpt client=a address=u@example.com local=u domain=example.com index=1 "              \
	"accepted=0 from=s@t\n"                                                                    \
	"RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<u@example.com> mailbox=u@example.com\n"     \
	"ask data client=a from=s@t to=u@example.com\n"
#define BEGIN_TRACE                                                                                \
	ENVELOPE_TRACE "DATA 354 \"End data with <CR><LF>.<CR><LF>\" line=DATA recipients=1\n"

static void test_delivered(void **state)
{
	struct driver_script script = {SCRIPT(BEGIN "..a\r\n\0\xff.b\r\n.\r\nNOOP\r\n.\r\n")};

	(void)state;
	expect(&script, (struct expected){
				.output = BEGUN "250 2.0.0 OK id=T\r\n250 2.0.0 OK\r\n"
						"500 5.5.2 Command unrecognized\r\n",
				.trace = BEGIN_TRACE
				"ask message client=a from=s@t to=u@example.com size=10\ndeliver\n"
				"MESSAGE 250 2.0.0 \"OK id=T\" ended\n"
				"NOOP 250 2.0.0 \"OK\" line=NOOP\n"
				"UNKNOWN 500 5.5.2 \"Command unrecognized\" line=.\n",
			});
}

static void test_content(void **state)
{
	struct driver_script script = {SCRIPT(BEGIN "..\r\n.x\r\n\r\n.\r\n"
						    "MAIL FROM:<s@t>\r\nRCPT TO:<u@example.com>\r\n"
						    "DATA\r\n.\r\nQUIT\r\n")};
	struct driver d;

	(void)state;
	expect(&script, (struct expected){.messages = ".\r\nx\r\n\r\n##"});
	script = (struct driver_script){SCRIPT(BEGIN "a\0\xff\x80\x7f\x01\r\n.\r\n")};
	driver_init(&d, &script);
	driver_run(&d, SIZE_MAX, 0);
	assert_int_equal(d.messages.len, 9);
	assert_memory_equal(buf_head(&d.messages), "a\0\xff\x80\x7f\x01\r\n#", 9);
	driver_fini(&d);
}

static void test_data_verdicts(void **state)
{
	char text[] = "go on\nplease", no[] = "no";
	struct driver_script script = {
		SCRIPT(ENVELOPE "DATA\r\nDATA\r\n"),
		.rules = {{HOOK_DATA, 0, {.kind = VERDICT_REJECT, .text = no}}}};

	(void)state;
	expect(&script, (struct expected){
				.trace = ENVELOPE_TRACE
				"DATA 554 5.7.1 \"no\" line=DATA recipients=1 ended\n"
				"DATA 503 5.5.1 \"Say MAIL first\" line=DATA recipients=0\n",
			});
	script.rules[0].verdict = (struct verdict){.code = 250, .text = text};
	expect(&script, (struct expected){.output = ENVELOPED "354 go on\r\n"});
}

static void test_message_verdicts(void **state)
{
	char text[] = "Spam\nno thanks", stored[] = "Stored";
	struct driver_script script = {SCRIPT(SMALL "DATA\r\n")};
	static const struct {
		int kind, code;
		const char *status, *output;
		bool text;
	} rows[] = {
		{VERDICT_REJECT, 0, "", "554-5.7.1 Spam\r\n554 5.7.1 no thanks\r\n", true},
		{VERDICT_TEMPFAIL, 450, "4.2.1",
		 "450 4.2.1 Temporarily refused, try again later\r\n", false},
		{VERDICT_TEMPFAIL, 421, "",
		 "421 4.7.1 Service not available, closing connection\r\n", false},
		{VERDICT_DISCONNECT, 0, "",
		 "421 4.7.0 Service not available, closing connection\r\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct driver_rule *rule = &script.rules[0];
		bool closes = strncmp(rows[i].output, "421", 3) == 0;
		char output[512];

		*rule = (struct driver_rule){
			HOOK_MESSAGE, 0, {.kind = (enum verdict_kind)rows[i].kind}};
		rule->verdict.code = rows[i].code;
		rule->verdict.text = rows[i].text ? text : NULL;
		snprintf(rule->verdict.status, sizeof rule->verdict.status, "%s", rows[i].status);
		snprintf(output, sizeof output, BEGUN "%s%s", rows[i].output,
			 closes ? "" : "503 5.5.1 Say MAIL first\r\n");
		expect(&script, (struct expected){.output = output, .messages = ""});
	}
	script.rules[0].verdict = (struct verdict){.text = stored};
	expect(&script, (struct expected){.output = BEGUN "250 2.0.0 Stored\r\n"
							  "503 5.5.1 Say MAIL first\r\n"});
	script.rules[0].verdict = (struct verdict){.code = 252, .status = "2.6.0"};
	expect(&script, (struct expected){.output = BEGUN "252 2.6.0 OK id=T\r\n"
							  "503 5.5.1 Say MAIL first\r\n"});
	/* A delivery that fails is never covered up by an accept. */
	script.delivery_code = 452;
	script.delivery_status = "4.3.1";
	script.delivery_text = "Disk full";
	expect(&script, (struct expected){.output = BEGUN "452 4.3.1 Disk full\r\n"
							  "503 5.5.1 Say MAIL first\r\n"});
}

/* A second transaction behind any form of end that is none must never begin. */
static void test_smuggling(void **state)
{
	static const char *const ends[] = {"\n.\n",   "\n.\r\n",  "\r\n.\n",	 "\r.\r",
					   "\r\n.\r", "\r.\r\n",  "\r\n.\r\r\n", "\n.\r",
					   "\r.\n",   "\n\r\n.\n"};

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		char input[512];
		struct driver_script script = {.input = input};

		script.input_len = (size_t)snprintf(
			input, sizeof input,
			BEGIN
			"hi%sMAIL FROM:<evil@x>\r\nRCPT TO:<v@example.com>\r\nDATA\r\nx\r\n.\r\n"
			"NOOP\r\n",
			ends[i]);
		expect(&script,
		       (struct expected){
			       .output =
				       BEGUN "550 5.6.0 Message has a CR or LF that is no CR LF\r\n"
					     "250 2.0.0 OK\r\n",
			       .trace = BEGIN_TRACE
			       "MESSAGE 550 5.6.0 \"Message has a CR or LF that is no CR LF\" "
			       "violation=bare_newline ended\n"
			       "NOOP 250 2.0.0 \"OK\" line=NOOP\n",
			       .messages = "",
		       });
	}
}

/* Where it is allowed, a message keeps its lone CR and LF; still none of them ends it, or begins a
 * command. It is reported all the same. */
static void test_bare_newline_accept(void **state)
{
	struct driver_script script = {
		SCRIPT("HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<u@example.com>\r\nDATA\r\n"
		       "a\nb\rc\r\n.\nMAIL FROM:<b@c>\r\n\n.\r\n\r.\r\n..\n\r\n.\r\nQUIT\r\n"),
		.settings = driver_settings()};
	struct driver d;

	(void)state;
	script.settings.bare_newline_accept = true;
	expect(&script,
	       (struct expected){
		       .output = "220 mx.test ESMTP\r\n250 mx.test\r\n250 2.1.0 Sender OK\r\n"
				 "250 2.1.5 Recipient OK\r\n"
				 "354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 OK id=T\r\n"
				 "221 2.0.0 mx.test closing connection\r\n",
		       .messages = "a\nb\rc\r\n\nMAIL FROM:<b@c>\r\n\n.\r\n\r.\r\n.\n\r\n#",
	       });
	driver_init(&d, &script);
	driver_run(&d, SIZE_MAX, 0);
	assert_non_null(strstr(driver_text(&d.trace),
			       "MESSAGE 250 2.0.0 \"OK id=T\" violation=bare_newline ended\n"));
	driver_fini(&d);
}

static void test_too_large(void **state)
{
	struct driver_script script = {
		SCRIPT(BEGIN "12345678\r\n.\r\n"
			     "MAIL FROM:<s@t>\r\nRCPT TO:<u@example.com>\r\nDATA\r\n"
			     "..3456789\r\nMAIL FROM:<>\r\n\n.\r\n\r\n.\r\nNOOP\r\n"),
		.settings = driver_settings()};

	(void)state;
	script.settings.message_size = 10;
	expect(&script, (struct expected){
				.output = BEGUN "250 2.0.0 OK id=T\r\n250 2.1.0 Sender OK\r\n"
						"250 2.1.5 Recipient OK\r\n"
						"354 End data with <CR><LF>.<CR><LF>\r\n"
						"552 5.3.4 Message too large\r\n250 2.0.0 OK\r\n",
				.messages = "12345678\r\n#",
			});
}

static void test_loop(void **state)
{
	char input[4096];
	struct driver_script script = {.input = input};
	size_t at;

	(void)state;
	for (int n = 50; n <= 51; n++) {
		at = (size_t)snprintf(input, sizeof input, "%s", BEGIN);
		for (int i = 0; i < n; i++)
			at += (size_t)snprintf(input + at, sizeof input - at, "Received: x\r\n");
		at += (size_t)snprintf(input + at, sizeof input - at, "\r\nReceived: y\r\n.\r\n");
		script.input_len = at;
		expect(&script,
		       (struct expected){
			       .output = n == 50 ? BEGUN "250 2.0.0 OK id=T\r\n"
						 : BEGUN "554 5.4.6 Too many hops, this is a "
							 "mail loop\r\n",
		       });
	}
}

/* The storage's failure is told before the client's, and is none of its faults. */
static void test_not_stored(void **state)
{
	struct driver_script script = {SCRIPT(BEGIN "12345678\r\nabc\r\n.\r\nNOOP\r\n"),
				       .body_room = 1, .settings = driver_settings()};
	struct driver d;

	(void)state;
	expect(&script, (struct expected){
				.output = BEGUN "452 4.3.1 No room\r\n250 2.0.0 OK\r\n",
			});
	script = (struct driver_script){SCRIPT(BEGIN "12345678\r\nabc\n\r\n.\r\n"), .body_room = 1,
					.settings = driver_settings()};
	driver_init(&d, &script);
	driver_run(&d, 0, 1);
	assert_string_equal(driver_text(&d.output), BEGUN "452 4.3.1 No room\r\n");
	assert_non_null(strstr(driver_text(&d.trace), "violation=bare_newline"));
	assert_int_equal(smtp_errors(d.smtp), 0);
	driver_fini(&d);
	/* The next message is not touched by it. */
	script = (struct driver_script){
		SCRIPT(BEGIN "1234567890\r\n.\r\nMAIL FROM:<s@t>\r\nRCPT TO:<u@example.com>\r\n"
			     "DATA\r\n1\r\n.\r\n"),
		.body_room = 5, .settings = driver_settings()};
	expect(&script, (struct expected){.messages = "1\r\n#"});
}

static void test_counts(void **state)
{
	struct driver_script script = {
		SCRIPT("X\r\n" SMALL "MAIL FROM:<s@t>\r\nX\r\nRSET\r\nMAIL FROM:<\r\n"),
		.settings = driver_settings()};
	struct driver d;

	(void)state;
	driver_init(&d, &script);
	driver_run(&d, SIZE_MAX, 0);
	assert_int_equal(smtp_commands(d.smtp), 9);
	assert_int_equal(smtp_messages(d.smtp), 1);
	assert_int_equal(smtp_errors(d.smtp), 3);
	driver_fini(&d);
	script.settings.errors = 2; /* the first one is forgiven when the message is delivered */
	driver_init(&d, &script);
	driver_run(&d, SIZE_MAX, 0);
	assert_false(d.finished);
	driver_fini(&d);
	script.settings.errors = 1;
	driver_init(&d, &script);
	driver_run(&d, SIZE_MAX, 0);
	assert_int_equal(smtp_disconnect_reason(d.smtp), DISCONNECT_ERRORS);
	driver_fini(&d);
	script.settings.errors = 20;
	script.settings.messages = 1;
	expect(&script,
	       (struct expected){
		       .trace =
			       "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"
			       "UNKNOWN 500 5.5.2 \"Command unrecognized\" line=X\n"
			       "ask ehlo HELO=a\nHELO 250 \"mx.test\" line=HELO a helo=a\n"
			       "ask mail client=a address=s@t local=s domain=t\n"
			       "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<s@t> mailbox=s@t "
			       "begun\n"
			       "ask rcpt client=a address=u@example.com local=u domain=example.com "
			       "index=1 accepted=0 from=s@t\n"
			       "RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<u@example.com> "
			       "mailbox=u@example.com\n"
			       "ask data client=a from=s@t to=u@example.com\n"
			       "DATA 354 \"End data with <CR><LF>.<CR><LF>\" line=DATA "
			       "recipients=1\n"
			       "ask message client=a from=s@t to=u@example.com size=18\ndeliver\n"
			       "MESSAGE 250 2.0.0 \"OK id=T\" ended\n"
			       "MAIL 421 4.7.0 \"mx.test Too many messages in one connection\" "
			       "line=MAIL FROM:<s@t>\n"
			       "finished messages\n",
	       });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivered),     cmocka_unit_test(test_content),
		cmocka_unit_test(test_data_verdicts), cmocka_unit_test(test_message_verdicts),
		cmocka_unit_test(test_smuggling),     cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_loop),	      cmocka_unit_test(test_bare_newline_accept),
		cmocka_unit_test(test_not_stored),    cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
