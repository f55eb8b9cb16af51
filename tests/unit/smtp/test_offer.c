/* What the delivery cannot take is not offered, and unknown when it is used. */
#include "expect.h"

#include <stdio.h>

#define BANNER "220 mx.test ESMTP\r\n"
#define TAIL   "250 LIMITS RCPTMAX=100 MAILMAX=100\r\n"

static const struct smtp_offer nothing;
static const struct smtp_offer all = {true, true, true, true, true, true, 0, 0};

static const struct {
	struct smtp_offer offer;
	const char *list;
} lists[] = {
	{{0}, "250-SIZE 100000\r\n250-ENHANCEDSTATUSCODES\r\n" TAIL},
	{{.eight_bit = true},
	 "250-SIZE 100000\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n" TAIL},
	{{.smtputf8 = true, .binary = true, .size = 200000, .recipients = 200},
	 "250-SIZE 100000\r\n250-ENHANCEDSTATUSCODES\r\n" TAIL},
	{{.eight_bit = true, .smtputf8 = true},
	 "250-SIZE 100000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n" TAIL},
	{{.chunking = true, .dsn = true},
	 "250-SIZE 100000\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250-DSN\r\n" TAIL},
	{{.chunking = true, .binary = true, .requiretls = true},
	 "250-SIZE 100000\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250-BINARYMIME\r\n"
	 "250-REQUIRETLS\r\n" TAIL},
	{{.size = 99, .recipients = 1},
	 "250-SIZE 99\r\n250-ENHANCEDSTATUSCODES\r\n250 LIMITS RCPTMAX=1 MAILMAX=100\r\n"},
};

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		char output[512];
		struct driver_script script = {
			.input = "", SECURE("EHLO a\r\n"), .settings = driver_settings()};

		script.settings.implicit_tls = true;
		script.settings.offer = &lists[i].offer;
		snprintf(output, sizeof output, BANNER "250-mx.test\r\n250-PIPELINING\r\n%s",
			 lists[i].list);
		expect(&script, (struct expected){.output = output});
	}
}

#define UNKNOWN "555 5.5.4 Unknown parameter"
#define TAKEN	"250 2.1.0 Sender OK"

static const struct {
	const char *command, *without, *with;
} rows[] = {
	{"MAIL FROM:<> SIZE=100000", TAKEN, TAKEN},
	{"MAIL FROM:<> BODY=7BIT", UNKNOWN, TAKEN},
	{"MAIL FROM:<> BODY=8BITMIME", UNKNOWN, TAKEN},
	{"MAIL FROM:<> BODY=BINARYMIME", UNKNOWN, TAKEN},
	{"MAIL FROM:<> SMTPUTF8", UNKNOWN, TAKEN},
	{"MAIL FROM:<> RET=FULL", UNKNOWN, TAKEN},
	{"MAIL FROM:<> ENVID=x", UNKNOWN, TAKEN},
	{"MAIL FROM:<> REQUIRETLS", UNKNOWN, TAKEN},
	{"MAIL FROM:<\xc3\xbc@b> SMTPUTF8", "553 5.6.7 A non-ASCII address needs SMTPUTF8", TAKEN},
	{"VRFY \xc3\xbc SMTPUTF8", "553 5.6.7 A non-ASCII address needs SMTPUTF8",
	 "252 2.5.0 Cannot verify; send some mail"},
	{"MAIL FROM:<>\r\nRCPT TO:<a@example.com> NOTIFY=NEVER", TAKEN "\r\n" UNKNOWN,
	 TAKEN "\r\n250 2.1.5 Recipient OK"},
	{"MAIL FROM:<>\r\nRCPT TO:<a@example.com> ORCPT=rfc822;a", TAKEN "\r\n" UNKNOWN,
	 TAKEN "\r\n250 2.1.5 Recipient OK"},
	{"BDAT 6\r\nQUIT\r\n", "502 5.5.1 CHUNKING is not offered", "503 5.5.1 Say MAIL first"},
	{"BDAT x\r\nQUIT\r\n", "501 5.5.4 Bad chunk size", "501 5.5.4 Bad chunk size"},
};

static void play_row(const char *command, const struct smtp_offer *offer, const char *reply)
{
	char secure[256], output[256];
	struct driver_script script = {
		.input = "", .secure = secure, .settings = driver_settings()};

	script.settings.implicit_tls = true;
	script.settings.offer = offer;
	script.secure_len = (size_t)snprintf(secure, sizeof secure, "HELO a\r\n%s%s", command,
					     strncmp(command, "BDAT", 4) ? "\r\n" : "");
	snprintf(output, sizeof output, BANNER "250 mx.test\r\n%s\r\n", reply);
	expect(&script, (struct expected){.output = output});
}

static void test_use(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		play_row(rows[i].command, &nothing, rows[i].without);
		play_row(rows[i].command, &all, rows[i].with);
	}
}

/* RFC 3030 section 2: what comes behind BDAT is no command, here too. */
static void test_chunk_is_skipped(void **state)
{
	struct driver_script script = {
		SCRIPT("HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\n"
		       "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\nDATA\r\nx\r\n.\r\n"),
		.settings = driver_settings(),
	};

	(void)state;
	script.settings.offer = &nothing;
	expect(&script, (struct expected){
				.output = BANNER "250 mx.test\r\n250 2.1.0 Sender OK\r\n"
						 "250 2.1.5 Recipient OK\r\n"
						 "502 5.5.1 CHUNKING is not offered\r\n"
						 "250 2.0.0 OK\r\n"
						 "354 End data with <CR><LF>.<CR><LF>\r\n"
						 "250 2.0.0 OK id=T\r\n",
				.messages = "x\r\n#",
			});
}

static void test_limits(void **state)
{
	struct smtp_offer offer = {.size = 9, .recipients = 1};
	struct driver_script script = {
		SCRIPT("HELO a\r\nMAIL FROM:<> SIZE=10\r\nMAIL FROM:<> SIZE=9\r\n"
		       "RCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n"
		       "DATA\r\n12345678\r\n.\r\n"),
		.settings = driver_settings(),
	};

	(void)state;
	script.settings.offer = &offer;
	expect(&script, (struct expected){
				.output = BANNER "250 mx.test\r\n552 5.3.4 Message too large\r\n"
						 "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n"
						 "452 4.5.3 Too many recipients\r\n"
						 "354 End data with <CR><LF>.<CR><LF>\r\n"
						 "552 5.3.4 Message too large\r\n",
				.messages = "",
			});
}

/* A message that has begun with BDAT goes on; what has been offered meanwhile counts for the next.
 */
static void test_change(void **state)
{
	struct smtp_offer begin = {.chunking = true, .size = 4}, later = {.size = 100};
	struct driver_script script = {
		SCRIPT("HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nBDAT 2\r\nx\n"
		       "BDAT 3 LAST\r\nyy\n"
		       "MAIL FROM:<> SIZE=5\r\nRCPT TO:<a@example.com>\r\nBDAT 0 LAST\r\n"),
		.settings = driver_settings(),
		.later = &later,
	};

	(void)state;
	script.settings.bare_newline_accept = true;
	script.settings.offer = &begin;
	/* The limit is that of the message's begin, at which the data hook has changed it. */
	expect(&script, (struct expected){
				.output = BANNER "250 mx.test\r\n250 2.1.0 Sender OK\r\n"
						 "250 2.1.5 Recipient OK\r\n"
						 "250 2.0.0 2 octets received\r\n"
						 "250 2.0.0 OK id=T\r\n"
						 "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n"
						 "502 5.5.1 CHUNKING is not offered\r\n",
				.messages = "x\nyy\n#",
			});
}

/* What was dropped does not come back, so the limit must not grow while a message comes. */
static void test_size_stays(void **state)
{
	struct smtp_offer offer = {.size = 3};
	struct smtp_settings settings = driver_settings();
	struct smtp *smtp;
	struct buf in, out;
	struct verdict accept = {.kind = VERDICT_ACCEPT};
	enum smtp_step step;

	(void)state;
	settings.offer = &offer;
	smtp = smtp_new(&settings);
	buf_init(&in, SMTP_IN_MAX);
	buf_init(&out, SMTP_OUT_MAX);
	buf_append_string(&in, "HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n1234");
	while ((step = smtp_step(smtp, &in, &out)) != SMTP_NEED_INPUT)
		if (step == SMTP_NEED_VERDICT)
			smtp_verdict(smtp, &accept);
	assert_int_equal(smtp_message_size(smtp), 4);
	offer.size = 100;
	buf_append_string(&in, "5\r\n.\r\n");
	step = smtp_step(smtp, &in, &out);
	assert_int_equal(step, SMTP_GOT_REPLY);
	assert_int_equal(smtp_last_reply(smtp)->code, 552);
	smtp_free(&smtp);
	buf_fini(&in);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),  cmocka_unit_test(test_use),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_chunk_is_skipped),
		cmocka_unit_test(test_change), cmocka_unit_test(test_size_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
