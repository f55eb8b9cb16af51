/* What of an event is left when persons are not to be told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "protocol/event_json.h"
#include "protocol/event_redact.h"

#define CLIENT (1u << EVENT_REDACT_CLIENT)
#define MAIL   (1u << EVENT_REDACT_MAIL)

/* The data of an event with this one field, redacted, is this JSON. */
static void check(enum event_kind kind, unsigned mask, const char *name, const char *value,
		  size_t len, const char *wanted)
{
	struct event_redacted room;
	struct json_out out = {0};
	struct event event;
	const char *data;

	event_init(&event, kind, NULL, NULL);
	event_add_octets(&event, name, (struct octets){value, len});
	event_json_body(&out, event_redact(&event, mask, &room), "t");
	json_out_raw_octets(&out, "", 1);
	data = strstr(out.data, "\"data\":");
	assert_non_null(data);
	if (strcmp(data + 7, wanted) != 0)
		fail_msg("%s of %s becomes %s, not %s", name, event_word(kind), data + 7, wanted);
	json_out_fini(&out);
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(event_redact_word(EVENT_REDACT_CLIENT), "client");
	assert_string_equal(event_redact_word(EVENT_REDACT_MAIL), "mail");
	assert_null(event_redact_word(EVENT_REDACT_MAX));
}

static void test_fields(void **state)
{
	static const struct {
		enum event_kind kind;
		unsigned mask;
		const char *name, *value, *wanted;
	} rows[] = {
		{EVENT_CONNECT, CLIENT, "ip", "203.0.113.10", "{\"ip\":\"203.0.113.0\"}"},
		{EVENT_CONNECT, CLIENT, "ip", "0.0.0.0", "{\"ip\":\"0.0.0.0\"}"},
		{EVENT_CONNECT, CLIENT, "ip", "2001:db8:1:2::5", "{\"ip\":\"2001:db8:1::\"}"},
		{EVENT_CONNECT, CLIENT, "ip", "2001:db8::5", "{\"ip\":\"2001:db8::\"}"},
		{EVENT_CONNECT, CLIENT, "ip", "2001:db8:1::5", "{\"ip\":\"2001:db8:1::\"}"},
		{EVENT_CONNECT, CLIENT, "ip", "1:2:3:4:5:6:7:8", "{\"ip\":\"1:2:3::\"}"},
		{EVENT_CONNECT, CLIENT, "ip", "1:0:3:4:5:6:7:8", "{\"ip\":\"1:0:3::\"}"},
		{EVENT_CONNECT, CLIENT, "ip", "fe80::1", "{\"ip\":\"fe80::\"}"},
		{EVENT_CONNECT, CLIENT, "ip", "::1", "{\"ip\":\"::\"}"},
		{EVENT_CONNECT, CLIENT, "ip", "::ffff:192.0.2.1", "{\"ip\":\"::\"}"},
		{EVENT_CONNECT, CLIENT, "ip", "nonsense", "{\"ip\":\"*\"}"},
		{EVENT_CONNECT, MAIL, "ip", "203.0.113.10", "{\"ip\":\"203.0.113.10\"}"},
		{EVENT_EHLO, CLIENT, "name", "alices-phone.local", "{\"name\":\"*\"}"},
		{EVENT_AUTH, CLIENT, "user", "alice", "{\"user\":\"*\"}"},
		{EVENT_AUTH, CLIENT, "user", "alice@example.org", "{\"user\":\"*@example.org\"}"},
		{EVENT_AUTH, MAIL, "user", "alice", "{\"user\":\"alice\"}"},
		{EVENT_MAIL, MAIL, "address", "a@example.org", "{\"address\":\"*@example.org\"}"},
		{EVENT_MAIL, MAIL, "address", "", "{\"address\":\"\"}"},
		{EVENT_RCPT, MAIL, "address", "postmaster", "{\"address\":\"*\"}"},
		{EVENT_RCPT, MAIL, "address", "\"a@b\"@[192.0.2.1]",
		 "{\"address\":\"*@[192.0.2.1]\"}"},
		{EVENT_MESSAGE, MAIL, "address", "b@x", "{\"address\":\"*@x\"}"},
		{EVENT_RCPT, CLIENT, "address", "b@x", "{\"address\":\"b@x\"}"},
		{EVENT_DELIVERY, MAIL, "ref", "alice/new/1", "{\"ref\":\"*\"}"},
		{EVENT_DELIVERY, CLIENT, "text", "2.0.0 bob is here", "{\"text\":\"*\"}"},
		{EVENT_COMMAND, MAIL, "text", "2.1.0 bob is here", "{\"text\":\"*\"}"},
		{EVENT_COMMAND, MAIL, "line", "RCPT TO:<bob@x>", "{\"line\":\"RCPT *\"}"},
		{EVENT_COMMAND, CLIENT, "line", "ehlo alices-phone", "{\"line\":\"EHLO *\"}"},
		{EVENT_COMMAND, CLIENT, "line", "AUTH PLAIN *", "{\"line\":\"AUTH *\"}"},
		{EVENT_COMMAND, CLIENT, "line", "xclient NAME=x", "{\"line\":\"XCLIENT *\"}"},
		{EVENT_COMMAND, MAIL, "line", "starttls x", "{\"line\":\"STARTTLS *\"}"},
		{EVENT_COMMAND, MAIL, "line", "quit", "{\"line\":\"quit\"}"},
		{EVENT_COMMAND, MAIL, "line", ".", "{\"line\":\".\"}"},
		{EVENT_COMMAND, MAIL, "line", "", "{\"line\":\"*\"}"},
		{EVENT_COMMAND, MAIL, "line", "Dear Bob", "{\"line\":\"*\"}"},
		{EVENT_COMMAND, MAIL, "line", "MAIL\tFROM:<a@x>", "{\"line\":\"*\"}"},
		{EVENT_COMMAND, MAIL, "line", "alice@example.org", "{\"line\":\"*\"}"},
		{EVENT_POLICY_BAD_REPLY, MAIL, "message", "a@x is bad", "{\"message\":\"*\"}"},
		{EVENT_POLICY_SERVICE, MAIL, "message", "a@x is bad", "{\"message\":\"*\"}"},
		{EVENT_GATEWAY_RELOAD, MAIL, "message", "no file", "{\"message\":\"no file\"}"},
		{EVENT_SECURE, CLIENT | MAIL, "sni", "mx1", "{\"sni\":\"mx1\"}"},
		{EVENT_POLICY_DECISION, CLIENT | MAIL, "reason", "spf", "{\"reason\":\"spf\"}"},
		{EVENT_RCPT, 0, "address", "b@x", "{\"address\":\"b@x\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check(rows[i].kind, rows[i].mask, rows[i].name, rows[i].value,
		      strlen(rows[i].value), rows[i].wanted);
}

/* Octets that are no text, and more of them than an address has. */
static void test_octets(void **state)
{
	char large[1200];

	(void)state;
	check(EVENT_RCPT, MAIL, "address", "\xff@x", 3, "{\"address\":\"*@x\"}");
	check(EVENT_RCPT, MAIL, "address", "a@\xff", 3,
	      "{\"address\":\"*@\xef\xbf\xbd\",\"address_b64\":\"KkD/\"}");
	check(EVENT_RCPT, MAIL, "address", "a\0b@x", 5, "{\"address\":\"*@x\"}");
	check(EVENT_COMMAND, MAIL, "line", "MAIL\0x y", 8, "{\"line\":\"*\"}");
	memset(large, 'x', sizeof large);
	check(EVENT_RCPT, MAIL, "address", large, sizeof large, "{\"address\":\"*\"}");
	large[1] = '@';
	check(EVENT_RCPT, MAIL, "address", large, sizeof large, "{\"address\":\"*\"}");
	check(EVENT_COMMAND, MAIL, "line", large, sizeof large, "{\"line\":\"*\"}");
	check(EVENT_CONNECT, CLIENT, "ip", large, sizeof large, "{\"ip\":\"*\"}");
	large[600] = ':';
	check(EVENT_CONNECT, CLIENT, "ip", large, sizeof large, "{\"ip\":\"*\"}");
}

/* Everything else stays as it is, and so does the event itself. */
static void test_the_rest(void **state)
{
	struct event_redacted room;
	struct event event;
	const struct event *out;

	(void)state;
	event_init(&event, EVENT_RCPT, "S", "T");
	event_add_text(&event, "address", "b@x");
	event_add_integer(&event, "code", 250);
	assert_ptr_equal(event_redact(&event, 0, &room), &event);
	out = event_redact(&event, MAIL, &room);
	assert_ptr_equal(out, &room.event);
	assert_string_equal(event.fields[0].value.text, "b@x");
	assert_int_equal(out->kind, EVENT_RCPT);
	assert_string_equal(out->session, "S");
	assert_string_equal(out->transaction, "T");
	assert_int_equal(out->fields_len, 2);
	assert_int_equal(out->fields[1].value.integer, 250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
