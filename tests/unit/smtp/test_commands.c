#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

#define BANNER "220 mx.test ESMTP\r\n"

static void test_ehlo(void **state)
{
	struct driver_script script = {SCRIPT("EHLO client.example\r\n")};

	(void)state;
	expect(&script, (struct expected){
				.output = BANNER EHLO_CLEAR,
				.trace = "ask connect\n"
					 "GREETING 220 \"mx.test ESMTP\"\n"
					 "ask ehlo EHLO=client.example\n"
					 "EHLO 250 \"mx.test\" line=EHLO client.example "
					 "helo=client.example\n",
			});
	script.settings = driver_settings();
	script.settings.starttls = false;
	expect(&script, (struct expected){
				.output = BANNER EHLO_LINES EHLO_LIMITS,
			});
}

static void test_ehlo_verdicts(void **state)
{
	char hello[] = "pleased to meet you\nsecond", no[] = "no\nnever";
	struct driver_script script = {
		SCRIPT("EHLO a\r\nEHLO b\r\nHELO c\r\nEHLO d\r\n"),
		.rules = {{HOOK_EHLO, 1, {.text = hello}},
			  {HOOK_EHLO, 2, {.kind = VERDICT_REJECT, .text = no}},
			  {HOOK_EHLO, 3, {.text = hello, .code = 299}},
			  {HOOK_EHLO, 4, {.kind = VERDICT_TEMPFAIL}}},
	};

	(void)state;
	/* RFC 2034: no reply to EHLO or HELO has an enhanced status code. */
	expect(&script,
	       (struct expected){
		       .output = BANNER "250-mx.test pleased to meet you\r\n" EHLO_EXTENSIONS
					"250-STARTTLS\r\n" EHLO_LIMITS "550-no\r\n550 never\r\n"
					"250 mx.test pleased to meet you\r\n"
					"451 Temporarily refused, try again later\r\n",
	       });
}

/* RFC 5321 4.1.4: EHLO resets the transaction when it is accepted, and changes nothing when it is
 * not. */
static void test_ehlo_again(void **state)
{
	struct driver_script script = {
		SCRIPT("EHLO a\r\nMAIL FROM:<a@b>\r\nEHLO b\r\nMAIL FROM:<c@d>\r\nHELO c\r\n"),
		.rules = {{HOOK_EHLO, 2, {.kind = VERDICT_REJECT}}},
	};

	(void)state;
	expect(&script, (struct expected){
				.trace = "ask connect\n"
					 "GREETING 220 \"mx.test ESMTP\"\n"
					 "ask ehlo EHLO=a\n"
					 "EHLO 250 \"mx.test\" line=EHLO a helo=a\n"
					 "ask mail client=a address=a@b local=a domain=b\n"
					 "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<a@b> "
					 "mailbox=a@b begun\n"
					 "ask ehlo client=a EHLO=b from=a@b\n"
					 "EHLO 550 \"Refused by policy\" line=EHLO b helo=b\n"
					 "MAIL 503 5.5.1 \"The sender was already given\" "
					 "line=MAIL FROM:<c@d>\n"
					 "ask ehlo client=a HELO=c from=a@b\n"
					 "HELO 250 \"mx.test\" line=HELO c helo=c ended\n",
			});
}

static void test_names(void **state)
{
	(void)state;
	expect_replies("EHLO\r\nEHLO \r\nHELO\r\nEHLO a\tb\r\nHELO \x01\r\nEHLO \xff\r\n",
		       "501 Argument missing\r\n501 Argument missing\r\n501 Argument missing\r\n"
		       "501 Control characters in the name\r\n"
		       "501 Control characters in the name\r\n"
		       "500 Octets above 127 in a command\r\n");
	expect_replies("HELO [1.2.3.4]\r\nHELO a_b c!  \r\nhelo x\r\n",
		       "250 mx.test\r\n250 mx.test\r\n250 mx.test\r\n");
}

static void test_simple(void **state)
{
	(void)state;
	expect_replies(
		"NOOP\r\nnoop whatever\r\nRSET\r\nrSeT  \r\nVRFY a\r\nEXPN a\r\nEXPN\r\n"
		"HELP\r\nHELP mail\r\nQUIT\r\n",
		"250 2.0.0 OK\r\n250 2.0.0 OK\r\n250 2.0.0 OK\r\n250 2.0.0 OK\r\n"
		"252 2.5.0 Cannot verify; send some mail\r\n"
		"502 5.5.1 Not implemented\r\n502 5.5.1 Not implemented\r\n"
		"214 2.0.0 EHLO HELO STARTTLS MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\r\n"
		"214 2.0.0 EHLO HELO STARTTLS MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\r\n"
		"221 2.0.0 mx.test closing connection\r\n");
	expect_replies("RSET x\r\nQUIT now\r\nSTARTTLS x\r\nVRFY\r\nMAIL\r\n",
		       "501 5.5.4 No argument allowed\r\n501 5.5.4 No argument allowed\r\n"
		       "501 5.5.4 No argument allowed\r\n501 5.5.4 Argument missing\r\n"
		       "501 5.5.4 Argument missing\r\n");
}

static void test_unknown(void **state)
{
	(void)state;
	expect_replies("\r\n   \r\nFOO\r\n NOOP\r\nNOOPS\r\nNOO\r\nMAILFROM:<a@b>\r\nAUTH PLAIN\r\n"
		       "LHLO a\r\n",
		       "500 5.5.2 Command unrecognized\r\n500 5.5.2 Command unrecognized\r\n"
		       "500 5.5.2 Command unrecognized\r\n500 5.5.2 Command unrecognized\r\n"
		       "500 5.5.2 Command unrecognized\r\n500 5.5.2 Command unrecognized\r\n"
		       "500 5.5.2 Command unrecognized\r\n500 5.5.2 Command unrecognized\r\n"
		       "500 5.5.2 Command unrecognized\r\n");
}

static void test_lines(void **state)
{
	struct driver_script script = {
		SCRIPT("NOOP\nQUIT\r\nNOOP\rQUIT\r\nNOOP \0\r\nNOOP \xff\r\nNOOP\r\n")};

	(void)state;
	expect(&script, (struct expected){
				.output = BANNER "500 5.5.2 Lines must end in CR LF\r\n"
						 "500 5.5.2 Lines must end in CR LF\r\n"
						 "500 5.5.2 Control characters in a command\r\n"
						 "500 5.5.2 Octets above 127 in a command\r\n"
						 "250 2.0.0 OK\r\n",
			});
	script = (struct driver_script){SCRIPT("NOOP\nQUIT\r\n")};
	expect(&script, (struct expected){
				.trace = "ask connect\n"
					 "GREETING 220 \"mx.test ESMTP\"\n"
					 "UNKNOWN 500 5.5.2 \"Lines must end in CR LF\" "
					 "line=NOOP\nQUIT violation=bare_newline\n",
			});
}

static void test_long_line(void **state)
{
	char input[4000], trace[4000];
	struct driver_script script = {.input = input};
	size_t lengths[] = {2046, 2047, 2048, 3000};

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		int n = (int)lengths[i];
		int shown = n > 2046 ? 2046 : n;
		bool fits = n <= 2046;

		script.input_len =
			(size_t)snprintf(input, sizeof input, "NOOP %0*d\r\nQUIT\r\n", n - 5, 0);
		snprintf(trace, sizeof trace,
			 "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"
			 "NOOP %s line=NOOP %0*d%s\n"
			 "QUIT 221 2.0.0 \"mx.test closing connection\" line=QUIT\nfinished quit\n",
			 fits ? "250 2.0.0 \"OK\"" : "500 5.5.2 \"Line too long\"", shown - 5, 0,
			 fits ? "" : " violation=line_too_long");
		expect(&script, (struct expected){.trace = trace});
	}
}

static void test_http(void **state)
{
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /x HTTP/1.0\r\n\r\nMAIL FROM:<a@b>\r\n",
		"CONNECT mx:25 HTTP/1.1\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"get /\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		struct driver_script script = {.input = requests[i],
					       .input_len = strlen(requests[i])};
		char trace[512];

		snprintf(trace, sizeof trace,
			 "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"
			 "UNKNOWN 421 4.7.0 \"mx.test This is SMTP\" line=%.*s violation=not_smtp\n"
			 "finished not_smtp\n",
			 (int)strcspn(requests[i], "\r"), requests[i]);
		expect(&script, (struct expected){.trace = trace});
	}
	expect_replies("GET\r\nPOSTS x\r\n", "500 5.5.2 Command unrecognized\r\n"
					     "500 5.5.2 Command unrecognized\r\n");
}

static void test_sequence(void **state)
{
	struct driver_script script = {SCRIPT("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n")};

	(void)state;
	expect(&script, (struct expected){.output = BANNER "503 5.5.1 Say EHLO first\r\n"
							   "503 5.5.1 Say MAIL first\r\n"
							   "503 5.5.1 Say MAIL first\r\n"});
	expect_replies("RCPT TO:<a@example.com>\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\n"
		       "RCPT TO:<a@b.c>\r\nDATA\r\nRSET\r\nDATA\r\n",
		       "503 5.5.1 Say MAIL first\r\n250 2.1.0 Sender OK\r\n"
		       "503 5.5.1 The sender was already given\r\n503 5.5.1 Say RCPT first\r\n"
		       "550 5.7.1 Relay access denied\r\n554 5.5.1 No valid recipients\r\n"
		       "250 2.0.0 OK\r\n503 5.5.1 Say MAIL first\r\n");
}

static void test_limits(void **state)
{
	struct driver_script script = {SCRIPT("X\r\nX\r\nNOOP\r\nX\r\nNOOP\r\n"),
				       .settings = driver_settings()};

	(void)state;
	script.settings.errors = 2;
	expect(&script, (struct expected){
				.trace = "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"
					 "UNKNOWN 500 5.5.2 \"Command unrecognized\" line=X\n"
					 "UNKNOWN 500 5.5.2 \"Command unrecognized\" line=X\n"
					 "NOOP 250 2.0.0 \"OK\" line=NOOP\n"
					 "UNKNOWN 421 4.7.0 \"mx.test Too many errors\" line=X\n"
					 "finished errors\n",
			});
	script = (struct driver_script){SCRIPT("NOOP\r\nNOOP\r\nQUIT\r\nNOOP\r\n"),
					.settings = driver_settings()};
	script.settings.commands = 2;
	expect(&script, (struct expected){
				.output = BANNER "250 2.0.0 OK\r\n250 2.0.0 OK\r\n"
						 "421 4.7.0 mx.test Too many commands\r\n",
				.trace = "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"
					 "NOOP 250 2.0.0 \"OK\" line=NOOP\n"
					 "NOOP 250 2.0.0 \"OK\" line=NOOP\n"
					 "QUIT 421 4.7.0 \"mx.test Too many commands\" line=QUIT\n"
					 "finished commands\n",
			});
}

static void test_require_tls(void **state)
{
	struct driver_script script = {
		SCRIPT("EHLO c\r\nHELO c\r\nMAIL FROM:<a@b>\r\nRSET\r\nVRFY a\r\nHELP\r\nNOOP\r\n"
		       "RCPT TO:<a@b>\r\nDATA\r\nX\r\nQUIT\r\n"),
		.settings = driver_settings()};

	(void)state;
	script.settings.require_tls = true;
	expect(&script, (struct expected){
				.output = BANNER EHLO_CLEAR
				"530 Say STARTTLS first\r\n"
				"530 5.7.0 Say STARTTLS first\r\n"
				"530 5.7.0 Say STARTTLS first\r\n"
				"530 5.7.0 Say STARTTLS first\r\n"
				"530 5.7.0 Say STARTTLS first\r\n250 2.0.0 OK\r\n"
				"530 5.7.0 Say STARTTLS first\r\n"
				"530 5.7.0 Say STARTTLS first\r\n"
				"500 5.5.2 Command unrecognized\r\n"
				"221 2.0.0 mx.test closing connection\r\n",
			});
}

static void test_require_tls_done(void **state)
{
	struct driver_script script = {SCRIPT("STARTTLS\r\n"),
				       SECURE("HELO c\r\nMAIL FROM:<a@b>\r\n"),
				       .settings = driver_settings()};

	(void)state;
	script.settings.require_tls = true;
	expect(&script, (struct expected){
				.output = BANNER "220 2.0.0 Ready to start TLS\r\n"
						 "250 mx.test\r\n250 2.1.0 Sender OK\r\n",
			});
}

/* RFC 5321 4.1.1: white space before the CRLF is tolerated, and no part of the name. */
static void test_trailing_blanks(void **state)
{
	struct driver_script script = {SCRIPT("HELO  a b  \r\nQUIT \r\n")};

	(void)state;
	expect(&script,
	       (struct expected){
		       .trace = "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"
				"ask ehlo HELO=a b\n"
				"HELO 250 \"mx.test\" line=HELO  a b   helo=a b\n"
				"QUIT 221 2.0.0 \"mx.test closing connection\" line=QUIT \n"
				"finished quit\n",
	       });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ehlo),
		cmocka_unit_test(test_ehlo_verdicts),
		cmocka_unit_test(test_ehlo_again),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_simple),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_require_tls),
		cmocka_unit_test(test_require_tls_done),
		cmocka_unit_test(test_trailing_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
