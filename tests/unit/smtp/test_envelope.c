#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

static const struct smtp_offer with_dsn = {
	.eight_bit = true,
	.smtputf8 = true,
	.dsn = true,
	.chunking = true,
	.binary = true,
	.requiretls = true,
};

#define BANNER "220 mx.test ESMTP\r\n"

static const struct {
	const char *command, *reply;
} mail_rows[] = {
	{"MAIL FROM:<a@b>", "250 2.1.0 Sender OK"},
	{"mail from:<a@b>", "250 2.1.0 Sender OK"},
	{"MAIL FROM: <a@b>", "250 2.1.0 Sender OK"},
	{"MAIL FROM:   <>  ", "250 2.1.0 Sender OK"},
	{"MAIL  FROM:<>", "250 2.1.0 Sender OK"},
	{"MAIL FROM:<a@b> SIZE=1 BODY=8BITMIME", "250 2.1.0 Sender OK"},
	{"MAIL FROM:<a@b> size=100000 body=7bit", "250 2.1.0 Sender OK"},
	{"MAIL FROM:<a@b> SIZE=0", "250 2.1.0 Sender OK"},
	{"MAIL FROM:<a@b> SIZE=100001", "552 5.3.4 Message too large"},
	{"MAIL FROM:<a@b> SIZE=99999999999999999999", "552 5.3.4 Message too large"},
	{"MAIL FROM:<a@b> SIZE=123456789012345678901", "501 5.5.4 Bad parameters"},
	{"MAIL FROM:<a@b> SIZE", "501 5.5.4 Bad parameters"},
	{"MAIL FROM:<a@b> SIZE=x", "501 5.5.4 Bad parameters"},
	{"MAIL FROM:<a@b> SIZE=1 SIZE=1", "501 5.5.4 Parameter given twice"},
	{"MAIL FROM:<a@b> BODY", "501 5.5.4 Bad parameters"},
	{"MAIL FROM:<a@b> BODY=BINARYMIME", "250 2.1.0 Sender OK"},
	{"MAIL FROM:<a@b> SMTPUTF8", "250 2.1.0 Sender OK"},
	{"MAIL FROM:<a@b> smtputf8 body=8bitmime", "250 2.1.0 Sender OK"},
	{"MAIL FROM:<a@b> SMTPUTF8=x", "501 5.5.4 Bad parameters"},
	{"MAIL FROM:<\xc3\xbc@\xc3\xbc.b> SMTPUTF8", "250 2.1.0 Sender OK"},
	{"MAIL FROM:<\"\xc3\xbc \xf0\x9f\x93\xa7\"@b> SIZE=1 SMTPUTF8", "250 2.1.0 Sender OK"},
	{"MAIL FROM:<@\xc3\xbc:a@b> SMTPUTF8", "250 2.1.0 Sender OK"},
	{"MAIL FROM:<@\xc3\xbc:a@b>", "553 5.6.7 A non-ASCII address needs SMTPUTF8"},
	{"MAIL FROM:<\xff@b> SMTPUTF8", "501 5.5.2 Not UTF-8"},
	{"MAIL FROM:<\xc3@b> SMTPUTF8", "501 5.5.2 Not UTF-8"},
	{"MAIL FROM:<a@\xc0\xae> SMTPUTF8", "501 5.5.2 Not UTF-8"},	/* overlong */
	{"MAIL FROM:<\xed\xa0\x80@b> SMTPUTF8", "501 5.5.2 Not UTF-8"}, /* a surrogate */
	{"MAIL FROM:<a@b> SMTPUTF8 X=\xc3\xbc", "555 5.5.4 Unknown parameter"},
	{"MAIL FROM:<a@b> SMTPUTF8 X=\xc3", "501 5.5.2 Not UTF-8"},
	{"MAIL FROM:<a@b> X=\xc3\xbc", "500 5.5.2 Octets above 127 in a command"},
	{"MAIL FROM:<\xc3\xbc@b> SMTPUTF8 SMTPUTF8", "501 5.5.4 Parameter given twice"},
	{"MAIL FROM:<\xc3\xbc b@c> SMTPUTF8", "501 5.1.7 Bad address syntax"},
	{"MAIL FROM:<a@b> RET=FULL", "555 5.5.4 Unknown parameter"},
	{"MAIL FROM:<a@b> ENVID=x", "555 5.5.4 Unknown parameter"},
	{"MAIL FROM:<a@b> REQUIRETLS", "555 5.5.4 Unknown parameter"},
	{"MAIL FROM:<a@b> AUTH=<>", "555 5.5.4 Unknown parameter"},
	{"MAIL FROM:<a@b> X=1 SIZE=x", "555 5.5.4 Unknown parameter"},
	{"MAIL FROM:<a@b> =x", "501 5.5.4 Bad parameters"},
	{"MAIL FROM:<a@b>SIZE=1", "501 5.5.4 Bad parameters"},
	{"MAIL FROM:<a@b> \xff", "500 5.5.2 Octets above 127 in a command"},
	{"MAIL F\xff:<a@b>", "500 5.5.2 Octets above 127 in a command"},
	{"MAIL FROM:a@b", "501 5.1.7 Bad address syntax"},
	{"MAIL FROM:", "501 5.1.7 Bad address syntax"},
	{"MAIL FROM:<postmaster>", "501 5.1.7 Bad address syntax"},
	{"MAIL FROM:<\xc3\xbc@b>", "553 5.6.7 A non-ASCII address needs SMTPUTF8"},
	{"MAIL FROM <a@b>", "501 5.5.4 Expected FROM:"},
	{"MAIL FROM :<a@b>", "501 5.5.4 Expected FROM:"},
	{"MAIL TO:<a@b>", "501 5.5.4 Expected FROM:"},
	{"MAIL <a@b>", "501 5.5.4 Expected FROM:"},
	{"MAIL F", "501 5.5.4 Expected FROM:"},
};

static const struct {
	const char *command, *reply;
} rcpt_rows[] = {
	{"RCPT TO:<a@example.com>", "250 2.1.5 Recipient OK"},
	{"rcpt to: <a@EXAMPLE.Com>", "250 2.1.5 Recipient OK"},
	{"RCPT TO:<@x.y:a@other.example>", "250 2.1.5 Recipient OK"},
	{"RCPT TO:<\"a@elsewhere\"@example.com>", "250 2.1.5 Recipient OK"},
	{"RCPT TO:<a%elsewhere@example.com>", "250 2.1.5 Recipient OK"},
	{"RCPT TO:<elsewhere!a@example.com>", "250 2.1.5 Recipient OK"},
	{"RCPT TO:<PostMaster>", "250 2.1.5 Recipient OK"},
	{"RCPT TO:<postmaster@elsewhere>", "550 5.7.1 Relay access denied"},
	{"RCPT TO:<a@b>", "550 5.7.1 Relay access denied"},
	{"RCPT TO:<@example.com:a@b>", "550 5.7.1 Relay access denied"},
	{"RCPT TO:<\"a@example.com\"@b>", "550 5.7.1 Relay access denied"},
	{"RCPT TO:<a@sub.example.com>", "550 5.7.1 Relay access denied"},
	{"RCPT TO:<a@xexample.com>", "550 5.7.1 Relay access denied"},
	{"RCPT TO:<a@example.com.b>", "550 5.7.1 Relay access denied"},
	{"RCPT TO:<a@[127.0.0.1]>", "550 5.7.1 Relay access denied"},
	{"RCPT TO:<a@[IPv6:::1]>", "550 5.7.1 Relay access denied"},
	{"RCPT TO:<a@example.com.>", "501 5.1.3 Bad address syntax"},
	{"RCPT TO:<>", "501 5.1.3 Bad address syntax"},
	{"RCPT TO:a@example.com", "501 5.1.3 Bad address syntax"},
	{"RCPT TO:<a>", "501 5.1.3 Bad address syntax"},
	{"RCPT TO:<\xff@example.com>", "553 5.6.7 A non-ASCII address needs SMTPUTF8"},
	{"RCPT TO:<a@example.com> NOTIFY=NEVER", "555 5.5.4 Unknown parameter"},
	{"RCPT TO:<a@example.com> X=", "501 5.5.4 Bad parameters"},
	{"RCPT FROM:<a@example.com>", "501 5.5.4 Expected TO:"},
};

static void test_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mail_rows / sizeof *mail_rows; i++) {
		char input[256], reply[256];

		snprintf(input, sizeof input, "%s\r\n", mail_rows[i].command);
		snprintf(reply, sizeof reply, "%s\r\n", mail_rows[i].reply);
		expect_replies(input, reply);
	}
}

static void test_rcpt(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rcpt_rows / sizeof *rcpt_rows; i++) {
		char input[256], reply[256];

		snprintf(input, sizeof input, "MAIL FROM:<>\r\n%s\r\n", rcpt_rows[i].command);
		snprintf(reply, sizeof reply, "250 2.1.0 Sender OK\r\n%s\r\n", rcpt_rows[i].reply);
		expect_replies(input, reply);
	}
}

/* SMTPUTF8 of MAIL holds for the recipients; a domain is compared octet by octet. */
static const struct {
	const char *command, *reply;
} utf8_rows[] = {
	{"RCPT TO:<\xc3\xbc@example.com>", "250 2.1.5 Recipient OK"},
	{"RCPT TO:<a@b\xc3\xbc.example>", "250 2.1.5 Recipient OK"},
	{"RCPT TO:<a@B\xc3\xbc.Example>", "250 2.1.5 Recipient OK"},
	{"RCPT TO:<a@b\xc3\x9c.example>", "550 5.7.1 Relay access denied"},  /* U+00DC */
	{"RCPT TO:<a@bu\xcc\x88.example>", "550 5.7.1 Relay access denied"}, /* another form */
	{"RCPT TO:<a@example.com>", "250 2.1.5 Recipient OK"},
	{"RCPT TO:<\xff@example.com>", "501 5.5.2 Not UTF-8"},
	{"RCPT TO:<a@example.com> SMTPUTF8", "555 5.5.4 Unknown parameter"},
	{"RCPT TO:<a@example.com> ORCPT=utf-8;\xc3\xbc@example.com", "250 2.1.5 Recipient OK"},
	{"RCPT TO:<a@example.com> ORCPT=utf-8;\xc3@example.com", "501 5.5.2 Not UTF-8"},
	{"RCPT TO:<a@example.com> ORCPT=rfc822;\xc3\xbc@example.com", "501 5.5.4 Bad parameters"},
	{"RCPT TO:<a@example.com> NOTIFY=NEVER ORCPT=rfc822;b@c", "250 2.1.5 Recipient OK"},
	{"RCPT TO:<a@example.com> NOTIFY=NEVER,DELAY", "501 5.5.4 Bad parameters"},
	{"RCPT TO:<a@example.com> NOTIFY=DELAY NOTIFY=DELAY", "501 5.5.4 Parameter given twice"},
	{"RCPT TO:<a@example.com> RET=FULL", "555 5.5.4 Unknown parameter"},
	{"VRFY \xc3\xbc", "553 5.6.7 A non-ASCII address needs SMTPUTF8"},
	{"VRFY \xc3\xbc SMTPUTF8", "252 2.5.0 Cannot verify; send some mail"},
};

static const char *const utf8_domains[] = {"example.com", "b\xc3\xbc.example"};

static void test_utf8(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof utf8_rows / sizeof *utf8_rows; i++) {
		char input[256], output[256];
		struct driver_script script = {.input = input, .settings = driver_settings()};

		script.settings.accept_domains = utf8_domains;
		script.settings.offer = &with_dsn;
		script.input_len = (size_t)snprintf(input, sizeof input,
						    "HELO a\r\nMAIL FROM:<> SMTPUTF8\r\n%s\r\n",
						    utf8_rows[i].command);
		snprintf(output, sizeof output,
			 BANNER "250 mx.test\r\n250 2.1.0 Sender OK\r\n%s\r\n", utf8_rows[i].reply);
		expect(&script, (struct expected){.output = output});
	}
}

static const struct {
	const char *command, *reply;
} secure_rows[] = {
	{"MAIL FROM:<> REQUIRETLS", "250 2.1.0 Sender OK"},
	{"MAIL FROM:<> requiretls RET=HDRS ENVID=a+20b", "250 2.1.0 Sender OK"},
	{"MAIL FROM:<> REQUIRETLS=1", "501 5.5.4 Bad parameters"},
	{"MAIL FROM:<> RET=ALL", "501 5.5.4 Bad parameters"},
	{"MAIL FROM:<> ENVID=a+2", "501 5.5.4 Bad parameters"},
	{"MAIL FROM:<> RET=FULL RET=FULL", "501 5.5.4 Parameter given twice"},
	{"MAIL FROM:<> NOTIFY=NEVER", "555 5.5.4 Unknown parameter"},
};

static void test_secure_params(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof secure_rows / sizeof *secure_rows; i++) {
		char secure[256], output[1024];
		struct driver_script script = {
			.input = "", .secure = secure, .settings = driver_settings()};

		script.settings.implicit_tls = true;
		script.settings.offer = &with_dsn;
		script.secure_len = (size_t)snprintf(secure, sizeof secure, "EHLO a\r\n%s\r\n",
						     secure_rows[i].command);
		snprintf(output, sizeof output,
			 BANNER EHLO_LINES "250-DSN\r\n250-REQUIRETLS\r\n" EHLO_LIMITS "%s\r\n",
			 secure_rows[i].reply);
		expect(&script, (struct expected){.output = output});
	}
}

/* RFC 9422: what six digits cannot say is not said. */
static void test_limits(void **state)
{
	struct driver_script script = {SCRIPT("EHLO a\r\n"), .settings = driver_settings()};

	(void)state;
	script.settings.recipients = 1000000;
	script.settings.messages = 999999;
	expect(&script, (struct expected){.output = BANNER EHLO_LINES
					  "250-STARTTLS\r\n250 LIMITS MAILMAX=999999\r\n"});
	script.settings.messages = 1000000;
	expect(&script, (struct expected){.output = BANNER EHLO_LINES "250 STARTTLS\r\n"});
}

static void test_accept_any(void **state)
{
	struct driver_script script = {
		SCRIPT("HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<a@[1.2.3.4]>\r\n"),
		.settings = driver_settings()};

	(void)state;
	script.settings.accept_any = true;
	script.settings.accept_domains_len = 0;
	expect(&script,
	       (struct expected){
		       .output = BANNER "250 mx.test\r\n250 2.1.0 Sender OK\r\n"
					"250 2.1.5 Recipient OK\r\n250 2.1.5 Recipient OK\r\n",
	       });
	/* No domain and not any: nobody but the postmaster. */
	script = (struct driver_script){
		SCRIPT("HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<postmaster>\r\n"),
		.settings = driver_settings()};
	script.settings.accept_domains_len = 0;
	expect(&script, (struct expected){
				.output = BANNER "250 mx.test\r\n250 2.1.0 Sender OK\r\n"
						 "550 5.7.1 Relay access denied\r\n"
						 "250 2.1.5 Recipient OK\r\n",
			});
}

/* What the services are told, and what their verdicts become. */
static void test_verdicts(void **state)
{
	char listed[] = "Listed\nGo away", fine[] = "Fine";
	struct driver_script script = {
		SCRIPT("HELO a\r\nMAIL FROM:<q@r>\r\nMAIL FROM:<\"x y\"@z> BODY=8BITMIME SIZE=7\r\n"
		       "RCPT TO:<bad@example.com>\r\nRCPT TO:<n@elsewhere>\r\n"
		       "RCPT TO:<good@example.com>\r\nRCPT TO:<postmaster>\r\n"
		       "RCPT TO:<later@example.com>\r\nRSET\r\n"),
		.rules = {{HOOK_MAIL, 1, {.kind = VERDICT_REJECT, .text = listed}},
			  {HOOK_MAIL, 2, {.text = fine}},
			  {HOOK_RCPT, 1, {.kind = VERDICT_REJECT, .code = 550, .status = "5.1.1"}},
			  {HOOK_RCPT, 2, {.code = 251, .status = "2.1.9"}},
			  {HOOK_RCPT, 4, {.kind = VERDICT_TEMPFAIL}}}};

	(void)state;
	expect(&script,
	       (struct expected){
		       .output = BANNER "250 mx.test\r\n550-5.7.1 Listed\r\n550 5.7.1 Go away\r\n"
					"250 2.1.0 Fine\r\n550 5.1.1 Refused by policy\r\n"
					"550 5.7.1 Relay access denied\r\n"
					"251 2.1.9 Recipient OK\r\n250 2.1.5 Recipient OK\r\n"
					"451 4.7.1 Temporarily refused, try again later\r\n"
					"250 2.0.0 OK\r\n",
		       .trace = "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"
				"ask ehlo HELO=a\nHELO 250 \"mx.test\" line=HELO a helo=a\n"
				"ask mail client=a address=q@r local=q domain=r\n"
				"MAIL 550 5.7.1 \"Listed\" line=MAIL FROM:<q@r> mailbox=q@r\n"
				"ask mail client=a address=\"x y\"@z local=x y domain=z "
				"param=BODY value=8BITMIME param=SIZE value=7\n"
				"MAIL 250 2.1.0 \"Fine\" line=MAIL FROM:<\"x y\"@z> BODY=8BITMIME "
				"SIZE=7 "
				"mailbox=\"x y\"@z begun\n"
				"ask rcpt client=a address=bad@example.com local=bad "
				"domain=example.com index=1 accepted=0 from=\"x y\"@z\n"
				"RCPT 550 5.1.1 \"Refused by policy\" line=RCPT "
				"TO:<bad@example.com> "
				"mailbox=bad@example.com\n"
				"RCPT 550 5.7.1 \"Relay access denied\" line=RCPT TO:<n@elsewhere> "
				"mailbox=n@elsewhere\n"
				"ask rcpt client=a address=good@example.com local=good "
				"domain=example.com index=3 accepted=0 from=\"x y\"@z\n"
				"RCPT 251 2.1.9 \"Recipient OK\" line=RCPT TO:<good@example.com> "
				"mailbox=good@example.com\n"
				"ask rcpt client=a address=postmaster local=postmaster domain= "
				"index=4 accepted=1 from=\"x y\"@z\n"
				"RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<postmaster> "
				"mailbox=postmaster\n"
				"ask rcpt client=a address=later@example.com local=later "
				"domain=example.com index=5 accepted=2 from=\"x y\"@z\n"
				"RCPT 451 4.7.1 \"Temporarily refused, try again later\" "
				"line=RCPT TO:<later@example.com> mailbox=later@example.com\n"
				"RSET 250 2.0.0 \"OK\" line=RSET ended\n",
	       });
}

static void test_closing_verdicts(void **state)
{
	struct driver_script script = {
		SCRIPT("HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nNOOP\r\n"),
		.rules = {{HOOK_RCPT, 0, {.kind = VERDICT_DISCONNECT, .status = "5.7.1"}}}};

	(void)state;
	expect(&script,
	       (struct expected){
		       .trace =
			       "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"
			       "ask ehlo HELO=a\nHELO 250 \"mx.test\" line=HELO a helo=a\n"
			       "ask mail client=a address= local= domain=\n"
			       "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<> mailbox= begun\n"
			       "ask rcpt client=a address=a@example.com local=a domain=example.com "
			       "index=1 accepted=0 from=\n"
			       "RCPT 554 5.7.1 \"Refused by policy\" line=RCPT TO:<a@example.com> "
			       "mailbox=a@example.com ended\n"
			       "finished policy\n",
	       });
	script.rules[0].verdict = (struct verdict){.kind = VERDICT_TEMPFAIL, .code = 421};
	expect(&script,
	       (struct expected){
		       .output = BANNER "250 mx.test\r\n250 2.1.0 Sender OK\r\n"
					"421 4.7.1 Service not available, closing connection\r\n",
	       });
}

static void test_too_many_recipients(void **state)
{
	struct driver_script script = {SCRIPT("HELO a\r\nMAIL FROM:<>\r\nRCPT "
					      "TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n"
					      "RCPT TO:<c@example.com>\r\nRCPT "
					      "TO:<d@elsewhere>\r\nRSET\r\nMAIL FROM:<>\r\n"
					      "RCPT TO:<c@example.com>\r\n"),
				       .settings = driver_settings()};

	(void)state;
	script.settings.recipients = 2;
	expect(&script,
	       (struct expected){
		       .output = BANNER "250 mx.test\r\n250 2.1.0 Sender OK\r\n"
					"250 2.1.5 Recipient OK\r\n250 2.1.5 Recipient OK\r\n"
					"452 4.5.3 Too many recipients\r\n"
					"550 5.7.1 Relay access denied\r\n250 2.0.0 OK\r\n"
					"250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n",
	       });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_secure_params),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_accept_any),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_closing_verdicts),
		cmocka_unit_test(test_too_many_recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
