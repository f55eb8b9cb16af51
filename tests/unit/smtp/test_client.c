/* What the caller says of the peer: it may relay, it may say XCLIENT, it has talked too early. */
#include "expect.h"

#include <stdio.h>

#define BANNER "220 mx.test ESMTP\r\n"
#define EHLO_XCLIENT                                                                               \
	EHLO_LINES "250-STARTTLS\r\n250-LIMITS RCPTMAX=100 MAILMAX=100\r\n"                        \
		   "250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n"

static void test_relay(void **state)
{
	struct driver_script script = {
		SCRIPT("HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<a@[1.2.3.4]>\r\n"),
		.relay = true};

	(void)state;
	expect(&script,
	       (struct expected){
		       .output = BANNER "250 mx.test\r\n250 2.1.0 Sender OK\r\n"
					"250 2.1.5 Recipient OK\r\n250 2.1.5 Recipient OK\r\n",
	       });
}

static void test_xclient(void **state)
{
	struct driver_script script = {
		SCRIPT("EHLO proxy\r\n"
		       "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.1 PORT=25 HELO=far PROTO=SMTP\r\n"
		       "MAIL FROM:<>\r\nEHLO near\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRSET\r\n"
		       "XCLIENT NAME=far.example LOGIN=alice HELO=[UNAVAILABLE]\r\n"
		       "EHLO again\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\n"),
		.xclient = true, .relay = true, /* of the proxy, not of its clients */
	};

	(void)state;
	expect(&script,
	       (struct expected){
		       .output = BANNER EHLO_XCLIENT BANNER
		       "503 5.5.1 Say EHLO first\r\n" EHLO_XCLIENT "250 2.1.0 Sender OK\r\n"
		       "550 5.7.1 Relay access denied\r\n250 2.0.0 OK\r\n" BANNER EHLO_XCLIENT
		       "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n",
		       .trace =
			       "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"
			       "ask ehlo EHLO=proxy\nEHLO 250 \"mx.test\" line=EHLO proxy "
			       "helo=proxy\n"
			       "client 31 name= addr=192.0.2.1 port=25 proto=SMTP helo=far login=\n"
			       "ask connect client=far\n"
			       "XCLIENT 220 \"mx.test ESMTP\" line=XCLIENT NAME=[UNAVAILABLE] "
			       "ADDR=192.0.2.1 PORT=25 HELO=far PROTO=SMTP\n"
			       "MAIL 503 5.5.1 \"Say EHLO first\" line=MAIL FROM:<>\n"
			       "ask ehlo client=far EHLO=near\n"
			       "EHLO 250 \"mx.test\" line=EHLO near helo=near\n"
			       "ask mail client=near address= local= domain=\n"
			       "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<> mailbox= begun\n"
			       "RCPT 550 5.7.1 \"Relay access denied\" line=RCPT TO:<a@b> "
			       "mailbox=a@b\n"
			       "RSET 250 2.0.0 \"OK\" line=RSET ended\n"
			       "client 63 name=far.example addr=192.0.2.1 port=25 proto=SMTP helo= "
			       "login=alice\n"
			       "ask connect login=alice\n"
			       "XCLIENT 220 \"mx.test ESMTP\" line=XCLIENT NAME=far.example "
			       "LOGIN=alice HELO=[UNAVAILABLE]\n"
			       "ask ehlo EHLO=again login=alice\n"
			       "EHLO 250 \"mx.test\" line=EHLO again helo=again\n"
			       "ask mail client=again login=alice address= local= domain=\n"
			       "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<> mailbox= begun\n"
			       "ask rcpt client=again login=alice address=a@b local=a domain=b "
			       "index=1 "
			       "accepted=0 from=\n"
			       "RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<a@b> mailbox=a@b\n",
	       });
}

/* A login that the proxy says no more is none. */
static void test_xclient_logout(void **state)
{
	struct driver_script script = {
		SCRIPT("XCLIENT LOGIN=alice\r\nHELO a\r\nXCLIENT LOGIN=[UNAVAILABLE]\r\n"
		       "HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\n"),
		.xclient = true};

	(void)state;
	expect(&script, (struct expected){
				.output = BANNER BANNER "250 mx.test\r\n" BANNER "250 mx.test\r\n"
							"250 2.1.0 Sender OK\r\n"
							"550 5.7.1 Relay access denied\r\n",
			});
}

/* RFC 3207 4.2: what was said in clear is forgotten, also by the XCLIENT that comes next. The
 * address stays. */
static void test_xclient_starttls(void **state)
{
	struct driver_script script = {
		SCRIPT("XCLIENT LOGIN=alice ADDR=192.0.2.1\r\nSTARTTLS\r\n"),
		SECURE("HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRSET\r\nXCLIENT PORT=9\r\n"
		       "HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\n"),
		.xclient = true};
	struct driver d;

	(void)state;
	expect(&script, (struct expected){
				.output = BANNER BANNER
				"220 2.0.0 Ready to start TLS\r\n250 mx.test\r\n"
				"250 2.1.0 Sender OK\r\n550 5.7.1 Relay access denied\r\n"
				"250 2.0.0 OK\r\n" BANNER "250 mx.test\r\n"
				"250 2.1.0 Sender OK\r\n550 5.7.1 Relay access denied\r\n",
			});
	driver_init(&d, &script);
	driver_run(&d, SIZE_MAX, 0);
	assert_non_null(strstr(driver_text(&d.trace),
			       "client 6 name= addr=192.0.2.1 port=9 proto= helo= login=\n"));
	driver_fini(&d);
}

static void test_xclient_refused(void **state)
{
	static const struct {
		const char *command, *reply;
	} rows[] = {
		{"XCLIENT", "501 5.5.4 Bad attributes"},
		{"XCLIENT NAME", "501 5.5.4 Bad attributes"},
		{"XCLIENT ADDR=1.2.3", "501 5.5.4 Bad attributes"},
		{"XCLIENT NAME=a FOO=b", "501 5.5.4 Bad attributes"},
		{"XCLIENT NAME=a\xc3\xbc", "500 5.5.2 Octets above 127 in a command"},
		{"MAIL FROM:<>\r\nXCLIENT NAME=a",
		 "250 2.1.0 Sender OK\r\n503 5.5.1 Mail transaction in progress"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char input[256], output[1024];
		struct driver_script script = {.input = input, .xclient = true};

		script.input_len =
			(size_t)snprintf(input, sizeof input, "EHLO c\r\n%s\r\n", rows[i].command);
		snprintf(output, sizeof output, BANNER EHLO_XCLIENT "%s\r\n", rows[i].reply);
		expect(&script, (struct expected){.output = output});
	}
	expect_replies("XCLIENT\r\nXCLIENT NAME=a\r\nMAIL FROM:<>\r\nXCLIENT NAME=a\r\n",
		       "550 5.7.0 XCLIENT is not for you\r\n550 5.7.0 XCLIENT is not for you\r\n"
		       "250 2.1.0 Sender OK\r\n550 5.7.0 XCLIENT is not for you\r\n");
}

/* The services judge the client that is named. */
static void test_xclient_verdicts(void **state)
{
	char no[] = "not you", hello[] = "hello";
	struct driver_script script = {
		SCRIPT("EHLO a\r\nXCLIENT ADDR=192.0.2.1\r\nXCLIENT ADDR=192.0.2.2\r\nQUIT\r\n"),
		.xclient = true,
		.rules = {{HOOK_CONNECT, 1, {.text = hello}},
			  {HOOK_CONNECT, 2, {.kind = VERDICT_REJECT, .text = no}}}};

	(void)state;
	expect(&script, (struct expected){
				.output = "220 mx.test ESMTP hello\r\n" EHLO_XCLIENT
					  "554 not you\r\n503 5.5.1 Refused; say QUIT\r\n"
					  "221 2.0.0 mx.test closing connection\r\n",
			});
	script.rules[1].verdict = (struct verdict){.kind = VERDICT_TEMPFAIL};
	expect(&script, (struct expected){
				.output = "220 mx.test ESMTP hello\r\n" EHLO_XCLIENT
					  "421 Service not available, closing connection\r\n",
			});
}

/* Under TLS the handshake is asked about again: it is part of what the services know. */
static void test_xclient_secure(void **state)
{
	struct driver_script script = {.input = "",
				       SECURE("XCLIENT ADDR=192.0.2.1\r\nQUIT\r\n"),
				       .settings = driver_settings(),
				       .xclient = true};

	(void)state;
	script.settings.implicit_tls = true;
	expect(&script,
	       (struct expected){
		       .output = BANNER BANNER "221 2.0.0 mx.test closing connection\r\n",
		       .trace = "ask connect\nask secure\nGREETING 220 \"mx.test ESMTP\"\n"
				"client 2 name= addr=192.0.2.1 port=0 proto= helo= login=\n"
				"ask connect\nask secure\n"
				"XCLIENT 220 \"mx.test ESMTP\" line=XCLIENT ADDR=192.0.2.1\n"
				"QUIT 221 2.0.0 \"mx.test closing connection\" line=QUIT\n"
				"finished quit\n",
	       });
}

static void test_early_talk(void **state)
{
	struct driver_script script = {SCRIPT("EHLO a\r\nQUIT\r\n"), .early_talk = true};

	(void)state;
	expect(&script,
	       (struct expected){
		       .output = "554 Protocol error: talked before the banner\r\n",
		       .trace = "GREETING 554 \"Protocol error: talked before the banner\" "
				"violation=early_talk\nfinished early_talk\n",
	       });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relay),		cmocka_unit_test(test_xclient),
		cmocka_unit_test(test_xclient_logout),	cmocka_unit_test(test_xclient_starttls),
		cmocka_unit_test(test_xclient_refused), cmocka_unit_test(test_xclient_verdicts),
		cmocka_unit_test(test_xclient_secure),	cmocka_unit_test(test_early_talk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
