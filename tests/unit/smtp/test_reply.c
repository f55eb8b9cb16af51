#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

#include "smtp/smtp_reply.h"

#define BANNER "220 mx.test ESMTP\r\n"

/* Sends one reply after the banner and returns what is on the wire. */
static char *wire(const char *status, const char *text)
{
	struct smtp_settings settings = driver_settings();
	struct smtp *s = smtp_new(&settings);
	struct buf in, out;
	char *result;

	buf_init(&in, SMTP_IN_MAX);
	buf_init(&out, SMTP_OUT_MAX);
	s->out = &out;
	s->greeted = true;
	s->reply.verb = SMTP_NOOP;
	assert_int_equal(smtp_reply_send(s, 550, status, text), SMTP_GOT_REPLY);
	driver_check_output(&out);
	/* What the events show of it is as clean. */
	assert_int_equal(strcspn(smtp_last_reply(s)->text, "\t\r\n\x1b\x7f\xc3"),
			 strlen(smtp_last_reply(s)->text));
	result = strndup(buf_head(&out), out.len);
	buf_fini(&in);
	buf_fini(&out);
	smtp_free(&s);
	return result;
}

static void check_wire(const char *status, const char *text, const char *expected)
{
	char *got = wire(status, text);

	assert_string_equal(got, expected);
	free(got);
}

/* Reply splitting: no text, whatever it holds, makes a line that has not the reply's own code. */
static void test_splitting(void **state)
{
	(void)state;
	check_wire("5.7.1", "a", "550 5.7.1 a\r\n");
	check_wire("5.7.1", "", "550 5.7.1 \r\n");
	check_wire("", "a", "550 a\r\n");
	check_wire("5.7.1", "a\nb", "550-5.7.1 a\r\n550 5.7.1 b\r\n");
	check_wire("5.7.1", "a\r\n250 2.0.0 OK", "550-5.7.1 a?\r\n550 5.7.1 250 2.0.0 OK\r\n");
	check_wire("5.7.1", "a\r250 OK", "550 5.7.1 a?250 OK\r\n");
	check_wire("5.7.1", "a\n", "550-5.7.1 a\r\n550 5.7.1 \r\n");
	check_wire("5.7.1", "t\tu\x7f\xc3\xbc\x1b[0m", "550 5.7.1 t?u????[0m\r\n");
	check_wire("5\n.7.1", "a", "550 5?.7.1 a\r\n");
}

static void test_long_text(void **state)
{
	char text[2001];
	char *got;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	got = wire("5.999.999", text);
	assert_int_equal(strlen(got), 512);
	free(got);
	text[1000] = '\n';
	got = wire("5.999.999", text);
	assert_int_equal(strlen(got), 1024);
	free(got);
}

/* The longest texts of a service with the longest hostname. */
static void test_long_verdicts(void **state)
{
	char host[256], text[10 * 481];
	struct driver_script script = {
		SCRIPT("EHLO a\r\nSTARTTLS\r\n"), .settings = driver_settings(),
		.rules = {{HOOK_CONNECT, 0, {.text = text}},
			  {HOOK_EHLO, 0, {.text = text}},
			  {HOOK_STARTTLS,
			   0,
			   {.kind = VERDICT_REJECT, .status = "5.999.999", .text = text}}}};
	struct driver d;

	(void)state;
	memset(host, 'h', sizeof host - 1);
	host[sizeof host - 1] = '\0';
	memset(text, 't', sizeof text - 1);
	for (size_t i = 480; i < sizeof text; i += 481)
		text[i] = '\n';
	text[sizeof text - 1] = '\0';
	script.settings.hostname = host;
	driver_init(&d, &script);
	driver_run(&d, SIZE_MAX, 0); /* checks the lengths */
	assert_non_null(strstr(driver_text(&d.output), "\r\n250-STARTTLS\r\n"));
	assert_non_null(strstr(driver_text(&d.output), "\r\n554 5.999.999 ttt"));
	driver_fini(&d);
}

static void test_end(void **state)
{
	static const struct {
		enum disconnect_reason reason;
		const char *reply;
	} rows[] = {
		{DISCONNECT_COMMAND_TIMEOUT, "421 4.4.2 mx.test Timeout waiting for a command\r\n"},
		{DISCONNECT_DATA_TIMEOUT, "421 4.4.2 mx.test Timeout waiting for the message\r\n"},
		{DISCONNECT_SESSION_TIME, "421 4.4.2 mx.test Connection open too long\r\n"},
		{DISCONNECT_SHUTDOWN, "421 4.3.2 mx.test Service shutting down\r\n"},
		{DISCONNECT_CLIENT_GONE, ""},
		{DISCONNECT_TLS, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct driver_script script = {SCRIPT("NOO"), .end = rows[i].reason};
		char output[256], trace[256];
		int text = (int)strlen(rows[i].reply) - 12;

		snprintf(output, sizeof output, BANNER "%s", rows[i].reply);
		if (text > 0)
			snprintf(trace, sizeof trace,
				 "ask connect\nGREETING 220 \"mx.test ESMTP\"\n"
				 "GREETING %.9s \"%.*s\"\nfinished %s\n",
				 rows[i].reply, text, rows[i].reply + 10,
				 disconnect_reason_word(rows[i].reason));
		expect(&script, (struct expected){output, text > 0 ? trace : NULL, ""});
	}
}

/* Too many connections: the 421 is the banner, and nobody is asked. */
static void test_end_before_banner(void **state)
{
	struct driver_script script = {.input = "", .settings = driver_settings()};
	struct driver d;

	(void)state;
	driver_init(&d, &script);
	smtp_end(d.smtp, DISCONNECT_CONNECTIONS);
	driver_run(&d, SIZE_MAX, 0);
	assert_string_equal(driver_text(&d.output),
			    "421 mx.test Too many connections, try again later\r\n");
	assert_int_equal(d.asked[HOOK_CONNECT], 0);
	driver_fini(&d);
	/* Nothing in clear goes to a client that waits for TLS. */
	script.settings.implicit_tls = true;
	driver_init(&d, &script);
	smtp_end(d.smtp, DISCONNECT_CONNECTIONS);
	driver_run(&d, SIZE_MAX, 0);
	assert_int_equal(d.output.len, 0);
	assert_true(d.finished);
	driver_fini(&d);
	script = (struct driver_script){SCRIPT("STARTTLS\r\n"), .end = DISCONNECT_COMMAND_TIMEOUT};
	expect(&script, (struct expected){.output = BANNER "220 2.0.0 Ready to start TLS\r\n"});
}

/* An open question is void, and its command gets the 421. */
static void test_end_in_question(void **state)
{
	struct smtp_settings settings = driver_settings();
	struct smtp *s = smtp_new(&settings);
	struct verdict accept = {.kind = VERDICT_ACCEPT};
	struct buf in, out;

	(void)state;
	buf_init(&in, SMTP_IN_MAX);
	buf_init(&out, SMTP_OUT_MAX);
	assert_int_equal(smtp_step(s, &in, &out), SMTP_NEED_VERDICT);
	smtp_verdict(s, &accept);
	assert_int_equal(smtp_step(s, &in, &out), SMTP_GOT_REPLY);
	buf_append_string(&in, "EHLO a\r\nNOOP\r\n");
	assert_int_equal(smtp_step(s, &in, &out), SMTP_NEED_VERDICT);
	assert_int_equal(smtp_hook(s), HOOK_EHLO);
	assert_int_equal(smtp_step(s, &in, &out), SMTP_NEED_VERDICT); /* patience changes nothing */
	assert_int_equal(in.len, 6);
	smtp_end(s, DISCONNECT_SHUTDOWN);
	assert_int_equal(smtp_step(s, &in, &out), SMTP_GOT_REPLY);
	assert_int_equal(smtp_last_reply(s)->verb, SMTP_EHLO);
	assert_int_equal(smtp_last_reply(s)->code, 421);
	assert_int_equal(smtp_step(s, &in, &out), SMTP_FINISHED);
	smtp_end(s, DISCONNECT_COMMAND_TIMEOUT); /* too late */
	assert_int_equal(smtp_step(s, &in, &out), SMTP_FINISHED);
	assert_int_equal(smtp_disconnect_reason(s), DISCONNECT_SHUTDOWN);
	assert_int_equal(in.len, 6);
	buf_fini(&in);
	buf_fini(&out);
	smtp_free(&s);
}

static void test_end_in_body(void **state)
{
	struct driver_script script = {
		SCRIPT("HELO a\r\nMAIL FROM:<s@t>\r\nRCPT TO:<u@example.com>\r\nDATA\r\nhalf"),
		.end = DISCONNECT_DATA_TIMEOUT};
	struct driver d;

	(void)state;
	driver_init(&d, &script);
	driver_run(&d, SIZE_MAX, 0);
	assert_non_null(strstr(driver_text(&d.trace),
			       "MESSAGE 421 4.4.2 \"mx.test Timeout waiting for the message\" "
			       "ended\nfinished data_timeout\n"));
	driver_fini(&d);
}

/* A client that never reads its replies: no command is taken while `out` is more than half full. */
static void test_unread_replies(void **state)
{
	struct smtp_settings settings = driver_settings();
	struct smtp *s;
	struct verdict accept = {.kind = VERDICT_ACCEPT};
	struct buf in, out;
	enum smtp_step step;

	(void)state;
	settings.commands = 100000;
	s = smtp_new(&settings);
	buf_init(&in, SMTP_IN_MAX);
	buf_init(&out, SMTP_OUT_MAX);
	assert_int_equal(smtp_step(s, &in, &out), SMTP_NEED_VERDICT);
	smtp_verdict(s, &accept);
	for (int i = 0; i < 10000; i++)
		buf_append_string(&in, "HELP\r\n");
	while ((step = smtp_step(s, &in, &out)) == SMTP_GOT_REPLY)
		;
	assert_int_equal(step, SMTP_NEED_INPUT);
	assert_true(in.len > 10000);
	assert_true(out.len > SMTP_OUT_MAX / 2 && out.len < SMTP_OUT_MAX / 2 + 600);
	buf_consume(&out, out.len);
	assert_int_equal(smtp_step(s, &in, &out), SMTP_GOT_REPLY);
	buf_fini(&in);
	buf_fini(&out);
	smtp_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_splitting),	  cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_long_verdicts),	  cmocka_unit_test(test_end),
		cmocka_unit_test(test_end_before_banner), cmocka_unit_test(test_end_in_question),
		cmocka_unit_test(test_end_in_body),	  cmocka_unit_test(test_unread_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
