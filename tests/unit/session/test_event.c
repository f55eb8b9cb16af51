/* From an engine that is driven in memory to events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/event_json.h"
#include "session/session_event.h"

static const char *const domains[] = {"example.com"};
static struct smtp_settings settings = {
	.hostname = "mx.example.com",
	.message_size = 1000,
	.recipients = 10,
	.errors = 10,
	.commands = 100,
	.messages = 10,
	.accept_domains = domains,
	.accept_domains_len = 1,
};

/* What the services say at a hook. */
static enum verdict_kind answers[HOOK_MAX];

/* Plays the lines and appends every event as JSON, a line each. */
static void play(const char *lines, struct json_out *events)
{
	struct smtp *smtp = smtp_new(&settings);
	struct verdict verdict = {0};
	struct event list[SESSION_EVENTS_MAX];
	struct buf in, out;
	size_t n;

	buf_init(&in, SMTP_IN_MAX);
	buf_init(&out, SMTP_OUT_MAX);
	if (!settings.implicit_tls)
		buf_append_string(&in, lines);
	for (;;) {
		switch (smtp_step(smtp, &in, &out)) {
		case SMTP_NEED_VERDICT:
			verdict.kind = answers[smtp_hook(smtp)];
			smtp_verdict(smtp, &verdict);
			continue;
		case SMTP_NEED_TLS:
			smtp_tls_started(smtp);
			buf_append_string(&in, lines);
			continue;
		case SMTP_GOT_REPLY:
			n = session_event_reply(smtp, "S", "T",
						&(struct session_said){.delivery = "backend"},
						list);
			for (size_t i = 0; i < n; i++) {
				event_json_body(events, &list[i], "now");
				json_out_raw(events, "\n");
			}
			continue;
		case SMTP_NEED_RECIPIENT:
			smtp_recipient(smtp, 550, "5.1.1", "No such user");
			continue;
		case SMTP_NEED_DELIVERY:
			smtp_delivered(smtp, 250, "2.0.0", "OK");
			continue;
		case SMTP_GOT_BODY:
			continue;
		default:
			break;
		}
		break;
	}
	smtp_free(&smtp);
	buf_fini(&in);
	buf_fini(&out);
}

/* The expected events, in order; each text must stand in its line. */
static void expect(const char *lines, const char *const *expected)
{
	struct json_out events = {0};
	char *text, *line, *rest;

	play(lines, &events);
	json_out_raw_octets(&events, "", 1);
	text = rest = events.data;
	for (size_t i = 0; expected[i]; i++) {
		line = strsep(&rest, "\n");
		if (!line || !strstr(line, expected[i]))
			fail_msg("event %zu is %s, expected %s", i, line ? line : "absent",
				 expected[i]);
	}
	line = strsep(&rest, "\n");
	if (line && *line)
		fail_msg("one event too many: %s", line);
	assert_non_null(text);
	json_out_fini(&events);
}

static void test_transaction(void **state)
{
	static const char *const expected[] = {
		"\"event\":\"command\",\"session\":\"S\",\"transaction\":\"T\",\"data\":{\"line\":"
		"\"EHLO me\",\"code\":250",
		"\"event\":\"ehlo\",\"session\":\"S\",\"transaction\":\"T\",\"data\":{\"verb\":"
		"\"EHLO\",\"name\":\"me\",\"code\":250}",
		"\"event\":\"command\"",
		"\"event\":\"mail\",\"session\":\"S\",\"transaction\":\"T\",\"data\":{\"address\":"
		"\"a@b.example\",\"code\":250",
		"\"data\":{\"line\":\"RCPT "
		"TO:<x@other.example>\",\"code\":550,\"status\":\"5.7.1\"",
		"\"event\":\"rcpt\",\"session\":\"S\",\"transaction\":\"T\",\"data\":{\"address\":"
		"\"x@other.example\",\"code\":550",
		"\"event\":\"command\"",
		"\"event\":\"rcpt\"",
		"\"event\":\"command\"",
		"\"event\":\"data\",\"session\":\"S\",\"transaction\":\"T\",\"data\":{"
		"\"recipients\":1,\"code\":354}",
		"\"event\":\"message\",\"session\":\"S\",\"transaction\":\"T\",\"data\":{\"size\":"
		"4,\"code\":250,\"status\":\"2.0.0\"",
		"\"event\":\"command\"",
		NULL,
	};

	(void)state;
	expect("EHLO me\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@other.example>\r\n"
	       "RCPT TO:<y@example.com>\r\nDATA\r\nhi\r\n.\r\nNOOP\r\n",
	       expected);
}

/* Whoever watches learns that nothing comes of it, the client does not. */
static void test_discard(void **state)
{
	static const char *const recipient[] = {
		"\"event\":\"command\"",
		"\"event\":\"ehlo\"",
		"\"event\":\"command\"",
		"\"event\":\"mail\",\"session\":\"S\",\"transaction\":\"T\",\"data\":{\"address\":"
		"\"\",\"code\":250,\"status\":\"2.1.0\"}",
		"\"text\":\"Recipient OK\"}",
		"\"data\":{\"address\":\"x@example.com\",\"code\":250,\"status\":\"2.1.5\","
		"\"discarded\":true}",
		"\"event\":\"command\"",
		"\"data\":{\"recipients\":1,\"code\":354}",
		"\"data\":{\"size\":4,\"code\":250,\"status\":\"2.0.0\",\"text\":\"OK\","
		"\"discarded\":true}",
		NULL,
	};
	static const char *const message[] = {
		"\"event\":\"command\"",
		"\"event\":\"ehlo\"",
		"\"event\":\"command\"",
		"\"event\":\"mail\"",
		"\"event\":\"command\"",
		"\"data\":{\"address\":\"x@example.com\",\"code\":250,\"status\":\"2.1.5\"}",
		"\"event\":\"command\"",
		"\"event\":\"data\"",
		"\"data\":{\"size\":4,\"code\":250,\"status\":\"2.0.0\",\"text\":\"OK\","
		"\"discarded\":true}",
		NULL,
	};
	const char *lines =
		"HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<x@example.com>\r\nDATA\r\nhi\r\n.\r\n";

	(void)state;
	answers[HOOK_RCPT] = VERDICT_DISCARD;
	expect(lines, recipient);
	answers[HOOK_RCPT] = VERDICT_ACCEPT;
	answers[HOOK_MESSAGE] = VERDICT_DISCARD;
	expect(lines, message);
	answers[HOOK_MESSAGE] = VERDICT_ACCEPT;
}

/* Whoever watches learns who has refused: here it is no service. */
static void test_refused_by_delivery(void **state)
{
	static const char *const expected[] = {
		"\"event\":\"command\"",
		"\"event\":\"ehlo\"",
		"\"event\":\"command\"",
		"\"event\":\"mail\"",
		"\"event\":\"command\"",
		"\"data\":{\"address\":\"x@example.com\",\"code\":550,\"status\":\"5.1.1\","
		"\"delivery\":\"backend\"}",
		"\"event\":\"command\"",
		"\"data\":{\"address\":\"x@elsewhere\",\"code\":550,\"status\":\"5.7.1\"}",
		NULL,
	};

	(void)state;
	settings.recipients_asked = true;
	expect("HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<x@example.com>\r\nRCPT TO:<x@elsewhere>\r\n",
	       expected);
	settings.recipients_asked = false;
}

static void test_violation(void **state)
{
	static const char *const expected[] = {
		"\"event\":\"violation\",\"session\":\"S\",\"transaction\":\"T\",\"data\":{"
		"\"what\":\"not_smtp\"}",
		"\"event\":\"command\"",
		NULL,
	};

	(void)state;
	expect("GET / HTTP/1.1\r\nHost: x\r\n\r\n", expected);
}

/* Whoever watches learns who has logged in, and nobody what the secret was. */
static void test_auth(void **state)
{
	static const char *const expected[] = {
		"\"data\":{\"line\":\"HELO me\"",
		"\"event\":\"ehlo\"",
		"\"data\":{\"line\":\"AUTH *\",\"code\":504,\"status\":\"5.5.4\"",
		"\"event\":\"auth\",\"session\":\"S\",\"transaction\":\"T\",\"data\":{\"code\":504,"
		"\"status\":\"5.5.4\"}",
		"\"event\":\"command\",\"session\":\"S\",\"transaction\":\"T\",\"data\":{\"line\":"
		"\"AUTH PLAIN *\",\"code\":235,\"status\":\"2.7.0\",\"text\":\"Authentication "
		"succeeded\"}",
		"\"event\":\"auth\",\"session\":\"S\",\"transaction\":\"T\",\"data\":{"
		"\"mechanism\":"
		"\"PLAIN\",\"user\":\"alice\",\"code\":235,\"status\":\"2.7.0\"}",
		NULL,
	};

	(void)state;
	settings.auth = settings.implicit_tls = true;
	expect("HELO me\r\nAUTH AGFsaWNlAHNlY3JldA==\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n",
	       expected);
	settings.auth = settings.implicit_tls = false;
}

/* Each BDAT is a command; the first is what DATA is, the last has the message's reply. */
static void test_bdat(void **state)
{
	static const char *const expected[] = {
		"\"line\":\"HELO me\"",
		"\"event\":\"ehlo\"",
		"\"line\":\"MAIL FROM:<a@b.example>\"",
		"\"event\":\"mail\"",
		"\"line\":\"RCPT TO:<y@example.com>\"",
		"\"event\":\"rcpt\"",
		"\"data\":{\"line\":\"BDAT 1\",\"code\":250",
		"\"event\":\"data\",\"session\":\"S\",\"transaction\":\"T\",\"data\":{"
		"\"recipients\":1,"
		"\"code\":250,\"status\":\"2.0.0\"}",
		"\"data\":{\"line\":\"BDAT 1\",\"code\":250",
		"\"data\":{\"line\":\"BDAT 1 "
		"LAST\",\"code\":250,\"status\":\"2.0.0\",\"text\":\"OK\"}",
		"\"event\":\"message\",\"session\":\"S\",\"transaction\":\"T\",\"data\":{\"size\":"
		"3,"
		"\"code\":250,\"status\":\"2.0.0\",\"text\":\"OK\"}",
		NULL,
	};

	(void)state;
	expect("HELO me\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<y@example.com>\r\nBDAT 1\r\nxBDAT "
	       "1\r\n:BDAT 1 LAST\r\ny",
	       expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transaction), cmocka_unit_test(test_discard),
		cmocka_unit_test(test_violation),   cmocka_unit_test(test_auth),
		cmocka_unit_test(test_bdat),	    cmocka_unit_test(test_refused_by_delivery),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
