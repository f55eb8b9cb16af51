/* AUTH in the engine: where it is allowed, the exchange, the verdict, what is seen of it. */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

#include "smtp/smtp_auth.h"

#define HELO  "220 mx.test ESMTP\r\n250 mx.test\r\n"
#define ALICE "AGFsaWNlAHNlY3JldA==" /* NUL alice NUL secret */

static char no[] = "No such user";
static const struct verdict reject = {.kind = VERDICT_REJECT};

static struct smtp_settings settings(void)
{
	struct smtp_settings s = driver_settings();

	s.auth = s.implicit_tls = true;
	return s;
}

/* What the client says behind HELO, under TLS, and what it gets. */
static void expect_login(const struct driver_rule *rule, const char *lines, const char *replies,
			 const char *trace)
{
	char input[4096], output[4096], whole_trace[4096];
	struct driver_script script = {.input = "", .secure = input, .settings = settings()};

	if (rule)
		script.rules[0] = *rule;
	script.secure_len = (size_t)snprintf(input, sizeof input, "HELO c\r\n%s", lines);
	snprintf(output, sizeof output, HELO "%s", replies);
	snprintf(whole_trace, sizeof whole_trace,
		 "ask connect\nask secure\nGREETING 220 \"mx.test ESMTP\"\nask ehlo HELO=c\n"
		 "HELO 250 \"mx.test\" line=HELO c helo=c\n%s",
		 trace ? trace : "");
	expect(&script, (struct expected){.output = output, .trace = trace ? whole_trace : NULL});
}

static void logs_in(void **state)
{
	static const char plain[] =
		"ask auth client=c mechanism=PLAIN authzid= user=alice password=secret\n"
		"AUTH 235 2.7.0 \"Authentication succeeded\" line=AUTH PLAIN%s "
		"mechanism=PLAIN user=alice\n";
	char trace[1024];

	(void)state;
	snprintf(trace, sizeof trace, plain, " *");
	expect_login(NULL, "AUTH PLAIN " ALICE "\r\n", "235 2.7.0 Authentication succeeded\r\n",
		     trace);
	snprintf(trace, sizeof trace, plain, "");
	expect_login(NULL, "AUTH PLAIN\r\n" ALICE "\r\n",
		     "334 \r\n235 2.7.0 Authentication succeeded\r\n", trace);
	expect_login(NULL, "AUTH LOGIN\r\nYWxpY2U=\r\nc2VjcmV0\r\n",
		     "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n"
		     "235 2.7.0 Authentication succeeded\r\n",
		     "ask auth client=c mechanism=LOGIN user=alice password=secret\n"
		     "AUTH 235 2.7.0 \"Authentication succeeded\" line=AUTH LOGIN "
		     "mechanism=LOGIN user=alice\n");
	expect_login(NULL, "auth login  YWxpY2U=\r\nc2VjcmV0\r\n",
		     "501 5.5.2 This is not base64\r\n500 5.5.2 Command unrecognized\r\n", NULL);
	/* user=u^Aauth=Bearer t^A^A */
	expect_login(NULL, "AUTH XOAUTH2 dXNlcj11AWF1dGg9QmVhcmVyIHQBAQ==\r\n",
		     "235 2.7.0 Authentication succeeded\r\n",
		     "ask auth client=c mechanism=XOAUTH2 user=u token=t\n"
		     "AUTH 235 2.7.0 \"Authentication succeeded\" line=AUTH XOAUTH2 * "
		     "mechanism=XOAUTH2 user=u\n");
}

static void uses_the_first_line_of_an_accept(void **state)
{
	static char text[] = "Welcome\nback";
	struct driver_rule rule = {HOOK_AUTH, 0, {.code = 250, .status = "2.0.0", .text = text}};

	(void)state;
	expect_login(&rule, "AUTH PLAIN " ALICE "\r\n", "235 2.7.0 Welcome\r\n", NULL);
}

static void refuses_wrong_credentials(void **state)
{
	struct driver_rule rule = {HOOK_AUTH, 0, reject};

	(void)state;
	expect_login(&rule, "AUTH PLAIN " ALICE "\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@elsewhere>\r\n",
		     "535 5.7.8 Refused by policy\r\n250 2.1.0 Sender OK\r\n"
		     "550 5.7.1 Relay access denied\r\n",
		     "ask auth client=c mechanism=PLAIN authzid= user=alice password=secret\n"
		     "AUTH 535 5.7.8 \"Refused by policy\" line=AUTH PLAIN * mechanism=PLAIN "
		     "user=alice\n"
		     "ask mail client=c address=a@b local=a domain=b\n"
		     "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<a@b> mailbox=a@b begun\n"
		     "RCPT 550 5.7.1 \"Relay access denied\" line=RCPT TO:<a@elsewhere> "
		     "mailbox=a@elsewhere\n");
	rule.verdict = (struct verdict){.kind = VERDICT_REJECT, .code = 550, .text = no};
	expect_login(&rule, "AUTH PLAIN " ALICE "\r\n", "550 5.7.8 No such user\r\n", NULL);
	rule.verdict = (struct verdict){.kind = VERDICT_TEMPFAIL};
	expect_login(&rule, "AUTH PLAIN " ALICE "\r\nAUTH PLAIN " ALICE "\r\n",
		     "454 4.7.0 Temporarily refused, try again later\r\n"
		     "454 4.7.0 Temporarily refused, try again later\r\n",
		     NULL);
	rule.verdict = (struct verdict){.kind = VERDICT_DISCONNECT};
	expect_login(&rule, "AUTH PLAIN " ALICE "\r\nNOOP\r\n",
		     "421 4.7.0 Service not available, closing connection\r\n", NULL);
}

/* RFC 7628 section 3.2.3 and 4.3 */
static void tells_bearers_why(void **state)
{
	struct driver_rule rule = {HOOK_AUTH, 0, reject};
	const char *failed = "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"
			     "535 5.7.8 Refused by policy\r\n250 2.0.0 OK\r\n";

	(void)state;
	/* n,a=u,^Aauth=Bearer t^A^A; the client's last word is ^A */
	expect_login(&rule, "AUTH OAUTHBEARER bixhPXUsAWF1dGg9QmVhcmVyIHQBAQ==\r\nAQ==\r\nNOOP\r\n",
		     failed,
		     "ask auth client=c mechanism=OAUTHBEARER user=u token=t\n"
		     "AUTH 535 5.7.8 \"Refused by policy\" line=AUTH OAUTHBEARER * "
		     "mechanism=OAUTHBEARER user=u\n"
		     "NOOP 250 2.0.0 \"OK\" line=NOOP\n");
	/* whatever it is */
	expect_login(&rule, "AUTH OAUTHBEARER bixhPXUsAWF1dGg9QmVhcmVyIHQBAQ==\r\n*\r\nNOOP\r\n",
		     failed, NULL);
	expect_login(&rule, "AUTH OAUTHBEARER bixhPXUsAWF1dGg9QmVhcmVyIHQBAQ==\r\n\r\nNOOP\r\n",
		     failed, NULL);
	expect_login(&rule,
		     "AUTH OAUTHBEARER\r\nbixhPXUsAWF1dGg9QmVhcmVyIHQBAQ==\r\nQUIT\r\nNOOP\r\n",
		     "334 \r\n334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"
		     "535 5.7.8 Refused by policy\r\n250 2.0.0 OK\r\n",
		     NULL);
	rule.verdict = (struct verdict){.kind = VERDICT_TEMPFAIL};
	expect_login(&rule, "AUTH OAUTHBEARER bixhPXUsAWF1dGg9QmVhcmVyIHQBAQ==\r\nNOOP\r\n",
		     "454 4.7.0 Temporarily refused, try again later\r\n250 2.0.0 OK\r\n", NULL);
	rule.verdict = (struct verdict){.kind = VERDICT_DISCONNECT};
	expect_login(&rule, "AUTH OAUTHBEARER bixhPXUsAWF1dGg9QmVhcmVyIHQBAQ==\r\nNOOP\r\n",
		     "421 4.7.0 Service not available, closing connection\r\n", NULL);
}

static void ends_the_exchange(void **state)
{
	(void)state;
	expect_login(NULL, "AUTH PLAIN\r\n*\r\nNOOP\r\n",
		     "334 \r\n501 5.7.0 Authentication cancelled\r\n250 2.0.0 OK\r\n",
		     "AUTH 501 5.7.0 \"Authentication cancelled\" line=AUTH PLAIN\n"
		     "NOOP 250 2.0.0 \"OK\" line=NOOP\n");
	expect_login(NULL, "AUTH LOGIN\r\nYWxpY2U=\r\n*\r\nNOOP\r\n",
		     "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n"
		     "501 5.7.0 Authentication cancelled\r\n250 2.0.0 OK\r\n",
		     NULL);
	/* Within the exchange no line is a command. */
	expect_login(NULL, "AUTH PLAIN\r\nQUIT\r\nNOOP\r\n",
		     "334 \r\n501 5.5.2 Credentials cannot be read\r\n250 2.0.0 OK\r\n", NULL);
	expect_login(NULL, "AUTH PLAIN\r\nNOOP \r\nNOOP\r\n",
		     "334 \r\n501 5.5.2 This is not base64\r\n250 2.0.0 OK\r\n", NULL);
	expect_login(NULL, "AUTH PLAIN =\r\nAUTH LOGIN =\r\nNOOP\r\n",
		     "501 5.5.2 Credentials cannot be read\r\n"
		     "501 5.5.2 Credentials cannot be read\r\n250 2.0.0 OK\r\n",
		     NULL);
	expect_login(
		NULL, "AUTH PLAIN\r\nAG\nFs\r\nNOOP\r\n",
		"334 \r\n501 5.5.2 This is not base64\r\n250 2.0.0 OK\r\n",
		"AUTH 501 5.5.2 \"This is not base64\" line=AUTH PLAIN violation=bare_newline\n"
		"NOOP 250 2.0.0 \"OK\" line=NOOP\n");
	expect_login(NULL, "AUTH PLAIN\r\n\xff\r\nNOOP\r\n",
		     "334 \r\n501 5.5.2 This is not base64\r\n250 2.0.0 OK\r\n", NULL);
}

static void is_out_of_place(void **state)
{
	(void)state;
	expect_login(NULL, "AUTH PLAIN " ALICE "\r\nAUTH PLAIN " ALICE "\r\n",
		     "235 2.7.0 Authentication succeeded\r\n503 5.5.1 Already authenticated\r\n",
		     NULL);
	expect_login(NULL,
		     "MAIL FROM:<a@b>\r\nAUTH PLAIN " ALICE "\r\nRSET\r\nAUTH PLAIN " ALICE "\r\n",
		     "250 2.1.0 Sender OK\r\n503 5.5.1 No AUTH within a transaction\r\n"
		     "250 2.0.0 OK\r\n235 2.7.0 Authentication succeeded\r\n",
		     NULL);
	expect_login(NULL, "AUTH\r\nAUTH \r\nAUTH CRAM-MD5\r\nAUTH CRAM-MD5 x\r\n",
		     "501 5.5.4 Argument missing\r\n501 5.5.4 Argument missing\r\n"
		     "504 5.5.4 Unknown authentication mechanism\r\n"
		     "504 5.5.4 Unknown authentication mechanism\r\n",
		     "AUTH 501 5.5.4 \"Argument missing\" line=AUTH\n"
		     "AUTH 501 5.5.4 \"Argument missing\" line=AUTH \n"
		     "AUTH 504 5.5.4 \"Unknown authentication mechanism\" line=AUTH *\n"
		     "AUTH 504 5.5.4 \"Unknown authentication mechanism\" line=AUTH *\n");
}

static void needs_helo_and_tls(void **state)
{
	struct driver_script script = {
		SCRIPT("AUTH PLAIN " ALICE "\r\nHELO c\r\nAUTH PLAIN " ALICE "\r\nQUIT\r\n"),
		.settings = driver_settings()};

	(void)state;
	script.settings.auth = true;
	expect(&script,
	       (struct expected){
		       .output = "220 mx.test ESMTP\r\n503 5.5.1 Say EHLO first\r\n250 mx.test\r\n"
				 "538 5.7.11 Encryption required for requested authentication "
				 "mechanism\r\n221 2.0.0 mx.test closing connection\r\n",
		       .trace = "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"
				"AUTH 503 5.5.1 \"Say EHLO first\" line=AUTH PLAIN *\n"
				"ask ehlo HELO=c\nHELO 250 \"mx.test\" line=HELO c helo=c\n"
				"AUTH 538 5.7.11 \"Encryption required for requested "
				"authentication mechanism\" line=AUTH PLAIN *\n"
				"QUIT 221 2.0.0 \"mx.test closing connection\" line=QUIT\n"
				"finished quit\n"});
	script.settings.auth = false;
	expect(&script,
	       (struct expected){.output = "220 mx.test ESMTP\r\n500 5.5.2 Command unrecognized\r\n"
					   "250 mx.test\r\n500 5.5.2 Command unrecognized\r\n"
					   "221 2.0.0 mx.test closing connection\r\n"});
}

/* A client that does not see the refusal goes on as if it were asked. */
static void hides_what_comes_too_late(void **state)
{
	(void)state;
	expect_login(NULL, "AUTH LOGI\r\nYWxpY2U=\r\nc2VjcmV0\r\nNOOP\r\nc2VjcmV0\r\n",
		     "504 5.5.4 Unknown authentication mechanism\r\n"
		     "500 5.5.2 Command unrecognized\r\n500 5.5.2 Command unrecognized\r\n"
		     "250 2.0.0 OK\r\n500 5.5.2 Command unrecognized\r\n",
		     "AUTH 504 5.5.4 \"Unknown authentication mechanism\" line=AUTH *\n"
		     "UNKNOWN 500 5.5.2 \"Command unrecognized\" line=*\n"
		     "UNKNOWN 500 5.5.2 \"Command unrecognized\" line=*\n"
		     "NOOP 250 2.0.0 \"OK\" line=NOOP\n"
		     "UNKNOWN 500 5.5.2 \"Command unrecognized\" line=c2VjcmV0\n");
}

static void opens_the_relay(void **state)
{
	(void)state;
	expect_login(NULL,
		     "AUTH PLAIN " ALICE
		     "\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@elsewhere>\r\nHELO d\r\n"
		     "MAIL FROM:<a@b>\r\nRCPT TO:<a@elsewhere>\r\n",
		     "235 2.7.0 Authentication succeeded\r\n250 2.1.0 Sender OK\r\n"
		     "250 2.1.5 Recipient OK\r\n250 mx.test\r\n250 2.1.0 Sender OK\r\n"
		     "250 2.1.5 Recipient OK\r\n",
		     "ask auth client=c mechanism=PLAIN authzid= user=alice password=secret\n"
		     "AUTH 235 2.7.0 \"Authentication succeeded\" line=AUTH PLAIN * "
		     "mechanism=PLAIN user=alice\n"
		     "ask mail client=c login=alice address=a@b local=a domain=b\n"
		     "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<a@b> mailbox=a@b begun\n"
		     "ask rcpt client=c login=alice address=a@elsewhere local=a domain=elsewhere "
		     "index=1 accepted=0 from=a@b\n"
		     "RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<a@elsewhere> "
		     "mailbox=a@elsewhere\n"
		     "ask ehlo client=c HELO=d login=alice from=a@b\n"
		     "HELO 250 \"mx.test\" line=HELO d helo=d ended\n"
		     "ask mail client=d login=alice address=a@b local=a domain=b\n"
		     "MAIL 250 2.1.0 \"Sender OK\" line=MAIL FROM:<a@b> mailbox=a@b begun\n"
		     "ask rcpt client=d login=alice address=a@elsewhere local=a domain=elsewhere "
		     "index=1 accepted=0 from=a@b\n"
		     "RCPT 250 2.1.5 \"Recipient OK\" line=RCPT TO:<a@elsewhere> "
		     "mailbox=a@elsewhere\n");
}

static void counts_failures(void **state)
{
	struct driver_script script = {.input = "",
				       SECURE("HELO c\r\nAUTH PLAIN " ALICE
					      "\r\nAUTH PLAIN\r\n*\r\n"
					      "AUTH PLAIN " ALICE "\r\nNOOP\r\n"),
				       .settings = settings(),
				       .rules = {{HOOK_AUTH, 0, reject}}};

	(void)state;
	script.settings.errors = 2;
	expect(&script, (struct expected){.output = HELO "535 5.7.8 Refused by policy\r\n334 \r\n"
							 "501 5.7.0 Authentication cancelled\r\n"
							 "421 4.7.0 mx.test Too many errors\r\n"});
	/* A service that is down is not the client's fault. */
	script.rules[0].verdict = (struct verdict){.kind = VERDICT_TEMPFAIL};
	script.settings.errors = 1;
	expect(&script,
	       (struct expected){.output = HELO "454 4.7.0 Temporarily refused, try again later\r\n"
						"334 \r\n501 5.7.0 Authentication cancelled\r\n"
						"454 4.7.0 Temporarily refused, try again later\r\n"
						"250 2.0.0 OK\r\n"});
}

/* The session ends in the middle of an exchange: that is the reply to AUTH. */
static void ends_within(void **state)
{
	struct driver_script script = {.input = "",
				       SECURE("HELO c\r\nAUTH LOGIN\r\nYWxpY2U=\r\nc2Vj"),
				       .settings = settings(),
				       .end = DISCONNECT_COMMAND_TIMEOUT};

	(void)state;
	expect(&script,
	       (struct expected){
		       .output = HELO "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n"
				      "421 4.4.2 mx.test Timeout waiting for a command\r\n",
		       .trace = "ask connect\nask secure\nGREETING 220 \"mx.test ESMTP\"\n"
				"ask ehlo HELO=c\nHELO 250 \"mx.test\" line=HELO c helo=c\n"
				"AUTH 421 4.4.2 \"mx.test Timeout waiting for a command\" "
				"line=AUTH LOGIN\n"
				"finished command_timeout\n"});
	script.end = DISCONNECT_CLIENT_GONE;
	expect(&script,
	       (struct expected){.output = HELO "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n"});
}

/* A line of `len` octets with its CRLF: `head`, base64 of a password of A's, CRLF. */
static char *make_line(const char *head, size_t len)
{
	char *line = malloc(len + 1);
	size_t n = strlen(head);

	memset(line, 'A', len);
	memcpy(line, head, n);
	memcpy(line + len - 2, "\r\n", 3);
	return line;
}

static void expect_long(const char *prefix, const char *head, size_t len, const char *replies)
{
	char *line = make_line(head, len), output[512];
	struct driver_script script = {.input = "", .settings = settings()};
	struct driver whole, pieces;
	char *input;

	script.secure_len = (size_t)asprintf(&input, "HELO c\r\n%s%sNOOP\r\n", prefix, line);
	script.secure = input;
	snprintf(output, sizeof output, HELO "%s250 2.0.0 OK\r\n", replies);
	driver_init(&whole, &script);
	driver_run(&whole, SIZE_MAX, 0);
	assert_string_equal(driver_text(&whole.output), output);
	for (size_t piece = 1; piece < 20000; piece += piece < 8 ? 1 : 700) {
		driver_init(&pieces, &script);
		driver_run(&pieces, 0, piece);
		assert_string_equal(driver_text(&pieces.output), output);
		assert_string_equal(driver_text(&pieces.trace), driver_text(&whole.trace));
		driver_fini(&pieces);
	}
	driver_fini(&whole);
	free(input);
	free(line);
}

/* RFC 4954 section 4: 12288 octets, for the initial response as for any other. */
static void takes_long_lines(void **state)
{
	(void)state;
	expect_long("", "AUTH PLAIN AGFsaWNlAHNl", SMTP_AUTH_LINE_MAX - 1,
		    "501 5.5.2 This is not base64\r\n");
	expect_long("", "AUTH PLAIN YWxpY2U", SMTP_AUTH_LINE_MAX + 1,
		    "500 5.5.6 Line too long\r\n");
	expect_long("AUTH PLAIN\r\n", "YQBiAGN", SMTP_AUTH_LINE_MAX - 2,
		    "334 \r\n501 5.5.2 Credentials cannot be read\r\n");
	expect_long("AUTH PLAIN\r\n", "YQBiAGN", SMTP_AUTH_LINE_MAX + 1,
		    "334 \r\n500 5.5.6 Line too long\r\n");
	expect_long("AUTH PLAIN\r\n", "*", SMTP_AUTH_LINE_MAX + 5000,
		    "334 \r\n500 5.5.6 Line too long\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logs_in),
		cmocka_unit_test(uses_the_first_line_of_an_accept),
		cmocka_unit_test(refuses_wrong_credentials),
		cmocka_unit_test(tells_bearers_why),
		cmocka_unit_test(ends_the_exchange),
		cmocka_unit_test(is_out_of_place),
		cmocka_unit_test(needs_helo_and_tls),
		cmocka_unit_test(hides_what_comes_too_late),
		cmocka_unit_test(opens_the_relay),
		cmocka_unit_test(counts_failures),
		cmocka_unit_test(ends_within),
		cmocka_unit_test(takes_long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
