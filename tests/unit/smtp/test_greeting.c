#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

#define BANNER "220 mx.test ESMTP\r\n"
#define OPEN   "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"

static void test_connect_text(void **state)
{
	char text[] = "at your service\nnot shown";
	struct driver_script script = {SCRIPT("QUIT\r\n"),
				       .rules = {{HOOK_CONNECT, 0, {.code = 250, .text = text}}}};

	(void)state;
	expect(&script, (struct expected){
				.output = "220 mx.test ESMTP at your service\r\n"
					  "221 2.0.0 mx.test closing connection\r\n",
			});
}

/* RFC 5321 3.1: only QUIT works, and the others are faults that count. */
static void test_connect_refused(void **state)
{
	struct driver_script script = {
		SCRIPT("EHLO a\r\nMAIL FROM:<a@b>\r\nX\r\nSTARTTLS\r\nNOOP\r\nQUIT\r\n"),
		.rules = {{HOOK_CONNECT, 0, {.kind = VERDICT_REJECT}}},
		.settings = driver_settings()};

	(void)state;
	expect(&script, (struct expected){
				.output = "554 Refused by policy\r\n503 Refused; say QUIT\r\n"
					  "503 5.5.1 Refused; say QUIT\r\n"
					  "503 5.5.1 Refused; say QUIT\r\n"
					  "503 5.5.1 Refused; say QUIT\r\n"
					  "503 5.5.1 Refused; say QUIT\r\n"
					  "221 2.0.0 mx.test closing connection\r\n",
			});
	script.settings.errors = 2;
	expect(&script, (struct expected){
				.output = "554 Refused by policy\r\n503 Refused; say QUIT\r\n"
					  "503 5.5.1 Refused; say QUIT\r\n"
					  "421 4.7.0 mx.test Too many errors\r\n",
			});
}

static void test_connect_closed(void **state)
{
	static const struct {
		struct verdict verdict;
		const char *output;
	} rows[] = {
		{{.kind = VERDICT_TEMPFAIL}, "421 Service not available, closing connection\r\n"},
		{{.kind = VERDICT_TEMPFAIL, .code = 450, .status = "4.7.1"},
		 "421 Service not available, closing connection\r\n"},
		{{.kind = VERDICT_DISCONNECT}, "421 Service not available, closing connection\r\n"},
		{{.kind = VERDICT_DISCONNECT, .code = 554}, "554 Refused by policy\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct driver_script script = {SCRIPT("NOOP\r\n"),
					       .rules = {{HOOK_CONNECT, 0, rows[i].verdict}}};
		char trace[256];

		snprintf(trace, sizeof trace,
			 "ask connect\nGREETING %.3s \"%.*s\"\nfinished policy\n", rows[i].output,
			 (int)strlen(rows[i].output) - 6, rows[i].output + 4);
		expect(&script, (struct expected){.output = rows[i].output, .trace = trace});
	}
}

static void test_starttls(void **state)
{
	struct driver_script script = {
		SCRIPT("EHLO a\r\nMAIL FROM:<a@b>\r\nSTARTTLS\r\n"),
		SECURE("MAIL FROM:<a@b>\r\nEHLO c\r\nSTARTTLS\r\nMAIL FROM:<d@e>\r\nQUIT\r\n")};

	(void)state;
	expect(&script,
	       (struct expected){
		       .trace = OPEN
		       "ask ehlo EHLO=a\n"
		       "EHLO 250 \"mx.test\" line=EHLO a helo=a\n"
		       "ask mail client=a address=a@b local=a domain=b\n"
		       "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<a@b> mailbox=a@b begun\n"
		       "ask starttls client=a from=a@b\n"
		       "STARTTLS 220 2.0.0 \"Ready to start TLS\" line=STARTTLS ended\n"
		       "ask secure\n"
		       "MAIL 503 5.5.1 \"Say EHLO first\" line=MAIL FROM:<a@b>\n"
		       "ask ehlo EHLO=c\n"
		       "EHLO 250 \"mx.test\" line=EHLO c helo=c\n"
		       "STARTTLS 503 5.5.1 \"TLS is already active\" line=STARTTLS\n"
		       "ask mail client=c address=d@e local=d domain=e\n"
		       "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<d@e> mailbox=d@e begun\n"
		       "QUIT 221 2.0.0 \"mx.test closing connection\" line=QUIT ended\n"
		       "finished quit\n",
		       .output = BANNER EHLO_CLEAR
		       "250 2.1.0 Sender OK\r\n220 2.0.0 Ready to start TLS\r\n"
		       "503 5.5.1 Say EHLO first\r\n" EHLO_SECURE
		       "503 5.5.1 TLS is already active\r\n250 2.1.0 Sender OK\r\n"
		       "221 2.0.0 mx.test closing connection\r\n",
	       });
}

static void test_starttls_refused(void **state)
{
	struct driver_script script = {SCRIPT("STARTTLS\r\nSTARTTLS\r\nNOOP\r\n"),
				       .rules = {{HOOK_STARTTLS, 1, {.kind = VERDICT_REJECT}},
						 {HOOK_STARTTLS, 2, {.kind = VERDICT_TEMPFAIL}}},
				       .settings = driver_settings()};

	(void)state;
	expect(&script,
	       (struct expected){
		       .output = BANNER "554 5.7.1 Refused by policy\r\n"
					"454 4.7.0 Temporarily refused, try again later\r\n"
					"250 2.0.0 OK\r\n",
	       });
	script.settings.starttls = false;
	expect(&script, (struct expected){
				.output = BANNER "454 4.7.0 TLS not available\r\n"
						 "454 4.7.0 TLS not available\r\n250 2.0.0 OK\r\n",
			});
}

/* CVE-2011-0411: whole commands or parts of one behind STARTTLS, in the same read. */
static void test_starttls_injection(void **state)
{
	static const char *const injected[] = {"EHLO a\r\n", "E", "\r", "\n",
					       "MAIL FROM:<a@b>\r\nRC"};

	(void)state;
	for (size_t i = 0; i < sizeof injected / sizeof *injected; i++) {
		char input[128];
		struct driver_script script = {.input = input};
		struct driver d;

		script.input_len = (size_t)snprintf(input, sizeof input, "NOOP\r\nSTARTTLS\r\n%s",
						    injected[i]);
		driver_init(&d, &script);
		driver_run(&d, SIZE_MAX, 0);
		assert_string_equal(driver_text(&d.output),
				    BANNER "250 2.0.0 OK\r\n"
					   "220 2.0.0 Ready to start TLS\r\n");
		assert_non_null(strstr(driver_text(&d.trace), "finished starttls_injection\n"));
		driver_fini(&d);
	}
}

/* The caller sees the octets only when it steps again before the handshake. */
static void test_late_injection(void **state)
{
	struct driver_script script = {SCRIPT("STARTTLS\r\nX")};
	struct driver d;

	(void)state;
	for (size_t cut = 10; cut < 12; cut++) {
		driver_init(&d, &script);
		driver_run(&d, cut, 0);
		assert_int_equal(smtp_disconnect_reason(d.smtp), DISCONNECT_STARTTLS_INJECTION);
		assert_false(smtp_is_secure(d.smtp));
		driver_fini(&d);
	}
}

static void test_secure_refused(void **state)
{
	char text[] = "bad cipher\nbad luck";
	struct driver_script script = {
		SCRIPT("STARTTLS\r\n"), SECURE("EHLO a\r\nNOOP\r\nQUIT\r\n"),
		.rules = {{HOOK_SECURE, 0, {.kind = VERDICT_REJECT, .text = text}}}};

	(void)state;
	expect(&script, (struct expected){
				.output = BANNER "220 2.0.0 Ready to start TLS\r\n"
						 "554-bad cipher\r\n554 bad luck\r\n"
						 "503 5.5.1 Refused; say QUIT\r\n"
						 "221 2.0.0 mx.test closing connection\r\n",
			});
	script.secure = "QUIT\r\n";
	script.secure_len = 6;
	expect(&script, (struct expected){
				.output = BANNER "220 2.0.0 Ready to start TLS\r\n"
						 "221 2.0.0 mx.test closing connection\r\n",
			});
	script = (struct driver_script){SCRIPT("STARTTLS\r\n"), SECURE("NOOP\r\nNOOP\r\n"),
					.rules = {{HOOK_SECURE, 0, {.kind = VERDICT_DISCONNECT}}}};
	expect(&script,
	       (struct expected){
		       .output = BANNER "220 2.0.0 Ready to start TLS\r\n"
					"421 4.7.0 Service not available, closing connection\r\n",
	       });
}

static void test_implicit(void **state)
{
	char text[] = "hello";
	struct driver_script script = {SECURE("EHLO a\r\nQUIT\r\n"), .input = "",
				       .settings = driver_settings(),
				       .rules = {{HOOK_CONNECT, 0, {.text = text}}}};

	(void)state;
	script.settings.implicit_tls = true;
	script.settings.require_tls = true;
	expect(&script, (struct expected){
				.output = "220 mx.test ESMTP hello\r\n" EHLO_SECURE
					  "221 2.0.0 mx.test closing connection\r\n",
				.trace = "ask connect\nask secure\n"
					 "GREETING 220 \"mx.test ESMTP hello\"\n"
					 "ask ehlo EHLO=a\n"
					 "EHLO 250 \"mx.test\" line=EHLO a helo=a\n"
					 "QUIT 221 2.0.0 \"mx.test closing connection\" line=QUIT\n"
					 "finished quit\n",
			});
	script.rules[0] = (struct driver_rule){HOOK_SECURE, 0, {.kind = VERDICT_REJECT}};
	expect(&script, (struct expected){
				.output = "554 Refused by policy\r\n503 Refused; say QUIT\r\n"
					  "221 2.0.0 mx.test closing connection\r\n",
			});
	script.rules[0] = (struct driver_rule){HOOK_SECURE, 0, {.kind = VERDICT_TEMPFAIL}};
	expect(&script, (struct expected){
				.output = "421 Service not available, closing connection\r\n",
			});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect_text),	 cmocka_unit_test(test_connect_refused),
		cmocka_unit_test(test_connect_closed),	 cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_starttls_refused), cmocka_unit_test(test_starttls_injection),
		cmocka_unit_test(test_late_injection),	 cmocka_unit_test(test_secure_refused),
		cmocka_unit_test(test_implicit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
