#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "examples.h"
#include "protocol/event_json.h"

#define O(text)                                                                                    \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

/* Says in C what an example says in JSON: the values of its fields come from the file, and which
 * kind of value each is from its type. So every event of the examples goes through the encoder. */
static void add_field(struct event *e, const char *name, const json_t *value)
{
	const char *text = json_string_value(value);

	if (json_is_integer(value))
		event_add_integer(e, name, json_integer_value(value));
	else if (json_is_real(value))
		event_add_real(e, name, json_real_value(value));
	else if (json_is_boolean(value))
		event_add_boolean(e, name, json_is_true(value));
	else if (!strcmp(name, "line") && !strncmp(text, "\xef\xbf\xbd", 3))
		event_add_octets(e, name, (struct octets)O("\xff\xfe\x01"));
	else if (!strcmp(name, "line") || !strcmp(name, "address") || !strcmp(name, "name"))
		event_add_octets(e, name, (struct octets){text, strlen(text)});
	else if (!strstr(name, "_b64"))
		event_add_text(e, name, text);
}

static enum event_kind kind_of(const char *word)
{
	uint32_t mask = 0;
	unsigned kind = 0;

	assert_true(event_match(word, &mask));
	while (!(mask & UINT32_C(1) << kind))
		kind++;
	return (enum event_kind)kind;
}

static uint32_t kinds_seen;

static void write_example(const char *name, const char *line, size_t len)
{
	json_t *message = json_loadb(line, len, 0, NULL), *value;
	struct json_out body = {0}, out = {0};
	struct event e;
	const char *key;

	assert_non_null(message);
	event_init(&e, kind_of(json_string_value(json_object_get(message, "event"))),
		   json_string_value(json_object_get(message, "session")),
		   json_string_value(json_object_get(message, "transaction")));
	json_object_foreach(json_object_get(message, "data"), key, value)
	{
		add_field(&e, key, value);
	}
	event_json_body(&body, &e, json_string_value(json_object_get(message, "time")));
	event_json_line(&out, (uint64_t)json_integer_value(json_object_get(message, "seq")),
			(uint64_t)json_integer_value(json_object_get(message, "prev")), body.data,
			body.len);
	examples_assert_equal(&out, name);
	kinds_seen |= UINT32_C(1) << e.kind;
	json_decref(message);
	json_out_fini(&body);
	json_out_fini(&out);
}

static void test_every_event_example_is_written(void **state)
{
	(void)state;
	assert_true(examples_each("valid", "event-", write_example) >= EVENT_MAX);
	/* Each event of events.def has an example. */
	assert_int_equal(kinds_seen, (UINT32_C(1) << EVENT_MAX) - 1);
}

static void test_values(void **state)
{
	struct json_out out = {0};
	struct event e;

	(void)state;
	event_init(&e, EVENT_RESET, NULL, NULL);
	event_add_integer(&e, "i", INT64_C(-9007199254740991));
	event_add_boolean(&e, "yes", true);
	event_add_boolean(&e, "no", false);
	event_add_real(&e, "r", 0.0005);
	event_add_real(&e, "s", -12.3456);
	event_add_real(&e, "large", 1e15);
	event_add_real(&e, "nan", NAN);
	event_add_real(&e, "inf", -INFINITY);
	event_add_text(&e, "t", "a\"\n");
	event_add_octets(&e, "o", (struct octets)O("\0"));
	event_json_body(&out, &e, "T");
	json_out_raw_octets(&out, "", 1);
	assert_string_equal(out.data,
			    "\"time\":\"T\",\"event\":\"reset\",\"data\":{\"i\":-9007199254740991,"
			    "\"yes\":true,\"no\":false,\"r\":0.001,\"s\":-12.346,\"large\":null,"
			    "\"nan\":null,\"inf\":null,\"t\":\"a\\\"\\n\","
			    "\"o\":\"\xef\xbf\xbd\",\"o_b64\":\"AA==\"}");
	json_out_fini(&out);
}

static void test_gaps(void **state)
{
	struct json_out out = {0};

	(void)state;
	event_json_gap(&out, 1050001, 1058113, "lag");
	examples_assert_equal(&out, "valid/gap-lag.json");
	event_json_gap(&out, 7, 7, "gateway");
	examples_assert_equal(&out, "valid/gap-one.json");
	event_json_gap(&out, 0, 0, "epoch");
	examples_assert_equal(&out, "valid/gap-epoch.json");
	event_json_heartbeat(&out, "2026-11-24T11:03:20.000001Z", 1058200, 1058200, 8113);
	examples_assert_equal(&out, "valid/heartbeat.json");
	json_out_fini(&out);
}

static void read_example(const char *name, const char *line, size_t len)
{
	struct event_line read;

	if (!event_json_read(line, len, &read) || read.type != EVENT_LINE_EVENT || !read.time ||
	    !read.event || !read.data)
		fail_msg("%s is not read", name);
	event_line_fini(&read);
}

static void test_reading(void **state)
{
	static const struct {
		const char *line, *data; /* NULL: no event or gap */
	} rows[] = {
		{"{\"type\":\"gap\",\"from\":1,\"to\":3,\"lost\":3,\"why\":\"lag\"}",
		 "from=1 to=3 lost=3 why=lag"},
		{"{\"type\":\"hello\"}", NULL},
		{"{\"type\":\"event\",\"time\":\"T\",\"event\":\"x\",\"data\":{}}", ""},
		{"{\"type\":\"event\",\"time\":\"T\",\"event\":\"x\",\"data\":{\"a\":1,\"b\":true,"
		 "\"c\":null,\"d\":[1,"
		 "\"\\u00fc\"],\"ms\":1.5}}",
		 "a=1 b=true c=null d=[1,\"\\u00FC\"] ms=1.5"},
		{"{\"type\":\"event\",\"time\":\"T\",\"event\":\"x\",\"data\":{\"a\":\"b "
		 "c\",\"d\":\"\",\"e\":"
		 "\"\\\"\\\\\",\"f\":\"a=b\",\"g\":\"gr\\u00fc\\u00df\"}}",
		 "a=\"b c\" d=\"\" e=\"\\\"\\\\\" f=\"a=b\" g=gr\xc3\xbc\xc3\x9f"},
		/* What would drive the terminal: ESC, a C1 control, a turn of direction, a line of
		   its own. */
		{"{\"type\":\"event\",\"time\":\"T\",\"event\":\"x\",\"data\":{\"a\":\"\\u001b["
		 "2J\\u009b\","
		 "\"b\":\"\\u202egpj\",\"c\":\"x\\ny\",\"\\u001b\":1}}",
		 "a=\\u001b[2J\\u009b b=\\u202egpj c=x\\u000ay \\u001b=1"},
	};
	struct event_line read;

	(void)state;
	assert_true(examples_each("valid", "event-", read_example) >= EVENT_MAX);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_true(event_json_read(rows[i].line, strlen(rows[i].line), &read));
		assert_int_equal(read.type == EVENT_LINE_OTHER, !rows[i].data);
		if (rows[i].data)
			assert_string_equal(read.data, rows[i].data);
		event_line_fini(&read);
	}
}

static void test_what_names_the_event_is_escaped_too(void **state)
{
	static const char line[] = "{\"type\":\"event\",\"time\":\"\\u001bT\",\"event\":"
				   "\"a\\u0007\",\"session\":\"\\u009d\","
				   "\"transaction\":\"\\r\",\"data\":{}}";
	struct event_line read;

	(void)state;
	assert_true(event_json_read(line, sizeof line - 1, &read));
	assert_string_equal(read.time, "\\u001bT");
	assert_string_equal(read.event, "a\\u0007");
	assert_string_equal(read.session, "\\u009d");
	assert_string_equal(read.transaction, "\\u000d");
	event_line_fini(&read);
	assert_null(read.time);
}

static void test_errors_are_read_as_sentences(void **state)
{
	struct event_line read;
	size_t len;
	char *line = examples_read("valid/error-events.json", &len);

	(void)state;
	assert_true(event_json_read(line, len, &read));
	assert_int_equal(read.type, EVENT_LINE_ERROR);
	assert_string_equal(read.code, "unknown_event");
	assert_string_equal(read.message, "event \"rcptt\" is not known");
	event_line_fini(&read);
	assert_null(read.message);
	free(line);
	line = strdup("{\"type\":\"error\",\"code\":\"\",\"message\":\"a\\u001b[2J \\\\\\u00fc\"}");
	assert_true(event_json_read(line, strlen(line), &read));
	assert_string_equal(read.code, "");
	assert_string_equal(read.message, "a\\u001b[2J \\\xc3\xbc");
	event_line_fini(&read);
	free(line);
}

static void test_not_of_the_protocol(void **state)
{
	static const char *const lines[] = {
		"",
		"x",
		"[]",
		"{}",
		"{\"type\":1}",
		"{\"type\":\"event\"}",
		"{\"type\":\"event\",\"time\":\"T\",\"event\":\"x\"}",
		"{\"type\":\"event\",\"time\":\"T\",\"event\":\"x\",\"data\":[]}",
		"{\"type\":\"error\",\"code\":\"x\"}",
		"{\"type\":\"event\",\"time\":1,\"event\":\"x\",\"data\":{}}",
	};
	struct event_line read;

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		if (event_json_read(lines[i], strlen(lines[i]), &read))
			fail_msg("read: %s", lines[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_event_example_is_written),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_what_names_the_event_is_escaped_too),
		cmocka_unit_test(test_errors_are_read_as_sentences),
		cmocka_unit_test(test_not_of_the_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
