#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "examples.h"
#include "protocol/verdict_json.h"

#define REPLY(rest) "{\"type\":\"reply\",\"id\":7" rest "}"

static void test_replies(void **state)
{
	const struct {
		const char *line;
		struct verdict verdict;
	} rows[] = {
		{REPLY(",\"verdict\":\"accept\""), {.kind = VERDICT_ACCEPT}},
		{REPLY(",\"verdict\":\"tempfail\",\"code\":450"),
		 {.kind = VERDICT_TEMPFAIL, .code = 450}},
		{REPLY(",\"verdict\":\"reject\",\"status\":\"5.1.1\",\"text\":\"No such user\""),
		 {.kind = VERDICT_REJECT, .status = "5.1.1", .text = (char[]){"No such user"}}},
		{REPLY(",\"verdict\":\"disconnect\",\"text\":[\"one\",\"two\"],\"reason\":\"x\""),
		 {.kind = VERDICT_DISCONNECT, .text = (char[]){"one\ntwo"}, .reason = "x"}},
		{REPLY(",\"verdict\":\"reject\",\"text\":[\"one\"],\"until\":\"command\",\"edits\":"
		       "[]"),
		 {.kind = VERDICT_REJECT, .text = (char[]){"one"}}},
		{REPLY(",\"verdict\":\"accept\",\"ref\":\"new/1 \\u0041\""),
		 {.kind = VERDICT_ACCEPT, .ref = "new/1 A"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct verdict *expected = &rows[i].verdict;
		struct verdict_json_error error;
		struct verdict_message m;

		if (verdict_json_decode(rows[i].line, strlen(rows[i].line), &m, &error) !=
		    VERDICT_JSON_REPLY)
			fail_msg("%s: %s", rows[i].line, error.message);
		assert_int_equal(m.id, 7);
		assert_int_equal(m.verdict.kind, expected->kind);
		assert_int_equal(m.verdict.code, expected->code);
		assert_string_equal(m.verdict.status, expected->status);
		assert_string_equal(m.verdict.reason, expected->reason);
		assert_string_equal(m.verdict.ref, expected->ref);
		assert_int_equal(!m.verdict.text, !expected->text);
		if (m.verdict.text)
			assert_string_equal(m.verdict.text, expected->text);
		verdict_fini(&m.verdict);
	}
}

static const struct {
	const char *line;
	enum verdict_json result;
	const char *code, *message;
} refusals[] = {
	{"x", VERDICT_JSON_BROKEN, "bad_json", "not a strict JSON object"},
	{"[1]", VERDICT_JSON_BROKEN, "bad_json", "not a JSON object"},
	{"{}", VERDICT_JSON_BROKEN, "bad_message", "\"type\" must be a string, not nothing"},
	{"{\"type\":null}", VERDICT_JSON_BROKEN, "bad_message",
	 "\"type\" must be a string, not null"},
	{"{\"type\":\"dance\"}", VERDICT_JSON_UNKNOWN, "unknown_type",
	 "message type \"dance\" is not known here"},
	{"{\"type\":\"register\"}", VERDICT_JSON_UNKNOWN, "unknown_type",
	 "\"register\" is not known here"},
	{"{\"type\":\"reply\"}", VERDICT_JSON_BROKEN, "bad_message",
	 "\"id\" must be an integer of at least 0, not nothing"},
	{"{\"type\":\"reply\",\"id\":\"7\"}", VERDICT_JSON_BROKEN, "bad_message", "not \"7\""},
	{"{\"type\":\"reply\",\"id\":-1}", VERDICT_JSON_BROKEN, "bad_message", "not -1"},
	{"{\"type\":\"reply\",\"id\":7.0}", VERDICT_JSON_BROKEN, "bad_message",
	 "not the real number 7"},
	{"{\"type\":\"reply\",\"id\":true}", VERDICT_JSON_BROKEN, "bad_message", "not true"},
	{REPLY(""), VERDICT_JSON_INVALID, "bad_reply",
	 "unknown verdict nothing: use accept, bypass, quarantine, discard, tempfail, reject or "
	 "disconnect"},
	{REPLY(",\"verdict\":\"Discard\""), VERDICT_JSON_INVALID, "bad_reply",
	 "unknown verdict \"Discard\""},
	{REPLY(",\"verdict\":true"), VERDICT_JSON_INVALID, "bad_reply", "unknown verdict true"},
	{REPLY(",\"verdict\":\"reject\",\"code\":\"550\""), VERDICT_JSON_INVALID, "bad_reply",
	 "code must be an integer of three digits such as 550, not \"550\""},
	{REPLY(",\"verdict\":\"reject\",\"code\":0"), VERDICT_JSON_INVALID, "bad_reply", "not 0"},
	{REPLY(",\"verdict\":\"reject\",\"code\":4294967846"), VERDICT_JSON_INVALID, "bad_reply",
	 "not 4294967846"},
	{REPLY(",\"verdict\":\"reject\",\"code\":null"), VERDICT_JSON_INVALID, "bad_reply",
	 "not null"},
	{REPLY(",\"verdict\":\"reject\",\"code\":550,\"status\":\"4.7.1\""), VERDICT_JSON_INVALID,
	 "bad_reply", "status 4.7.1 does not match code 550"},
	{REPLY(",\"verdict\":\"reject\",\"status\":\"5.7.1000000000\""), VERDICT_JSON_INVALID,
	 "bad_reply",
	 "status must be an enhanced status code such as \"5.7.1\", not "
	 "\"5.7.1000000000\""},
	{REPLY(",\"verdict\":\"reject\",\"status\":\"\""), VERDICT_JSON_INVALID, "bad_reply",
	 "not \"\""},
	{REPLY(",\"verdict\":\"reject\",\"text\":\"a\\nb\""), VERDICT_JSON_INVALID, "bad_reply",
	 "text must be printable ASCII: octet 2 of a line is 0x0a"},
	{REPLY(",\"verdict\":\"reject\",\"text\":[\"a\",1]"), VERDICT_JSON_INVALID, "bad_reply",
	 "a line of text must be a string, not 1"},
	{REPLY(",\"verdict\":\"reject\",\"text\":[]"), VERDICT_JSON_INVALID, "bad_reply",
	 "text must have 1 to 10 lines, not 0"},
	{REPLY(",\"verdict\":\"reject\",\"text\":{}"), VERDICT_JSON_INVALID, "bad_reply",
	 "text must be a string or an array of strings, not an object"},
	{REPLY(",\"verdict\":\"accept\",\"reason\":\"\""), VERDICT_JSON_INVALID, "bad_reply",
	 "reason must be 1 to 64 characters of a-z 0-9 _ . -, not \"\""},
	{REPLY(",\"verdict\":\"accept\",\"until\":\"ever\""), VERDICT_JSON_INVALID, "bad_reply",
	 "until must be \"command\", \"transaction\" or \"session\", not \"ever\""},
	{REPLY(",\"verdict\":\"accept\",\"edits\":[{}]"), VERDICT_JSON_INVALID, "bad_reply",
	 "unknown edit nothing"},
	{REPLY(",\"verdict\":\"accept\",\"labels\":\"a\""), VERDICT_JSON_INVALID, "bad_reply",
	 "labels must be an array of strings, not \"a\""},
	{REPLY(",\"verdict\":\"accept\",\"labels\":[\"a\",1]"), VERDICT_JSON_INVALID, "bad_reply",
	 "a label must be a string, not 1"},
	{REPLY(",\"verdict\":\"accept\",\"labels\":[\"a b\"]"), VERDICT_JSON_INVALID, "bad_reply",
	 "a label must be 1 to 64 characters of a-z 0-9 _ . -"},
	{REPLY(",\"verdict\":\"accept\",\"keep\":null"), VERDICT_JSON_INVALID, "bad_reply",
	 "keep must be an object, not null"},
	{REPLY(",\"verdict\":\"accept\",\"keep\":{\"session\":{},\"transaction\":7}"),
	 VERDICT_JSON_INVALID, "bad_reply", "keep.transaction must be an object or null, not 7"},
	{REPLY(",\"verdict\":\"accept\",\"ref\":\"\""), VERDICT_JSON_INVALID, "bad_reply",
	 "ref must be 1 to 128 characters of printable ASCII without spaces at its ends, not "
	 "\"\""},
	{REPLY(",\"verdict\":\"accept\",\"ref\":7"), VERDICT_JSON_INVALID, "bad_reply", "not 7"},
	{REPLY(",\"verdict\":\"accept\",\"ref\":null"), VERDICT_JSON_INVALID, "bad_reply",
	 "not null"},
	{REPLY(",\"verdict\":\"accept\",\"ref\":\"a\\nb\""), VERDICT_JSON_INVALID, "bad_reply",
	 "ref must be 1 to 128 characters of printable ASCII without spaces at its ends"},
	{REPLY(",\"verdict\":\"reject\",\"ref\":\"a\""), VERDICT_JSON_INVALID, "bad_reply",
	 "ref does not fit the verdict reject"},
	{"{\"type\":\"progress\"}", VERDICT_JSON_BROKEN, "bad_message",
	 "\"id\" must be an integer of at least 0, not nothing"},
	{"{\"type\":\"progress\",\"id\":7,\"extend_ms\":0}", VERDICT_JSON_BAD_PROGRESS,
	 "bad_message", "\"extend_ms\" must be an integer of 1 to 3600000, not 0"},
	{"{\"type\":\"progress\",\"id\":7}", VERDICT_JSON_BAD_PROGRESS, "bad_message",
	 "not nothing"},
	{"{\"type\":\"window\",\"n\":-1}", VERDICT_JSON_BROKEN, "bad_message",
	 "\"n\" must be an integer of at least 0, not -1"},
	{REPLY(",\"verdict\":\"accept\",\"must\":[\"keep\"]"), VERDICT_JSON_INVALID, "bad_reply",
	 "\"must\" names an unknown feature: \"keep\""},
};

static void test_refusals(void **state)
{

	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct verdict_json_error error;
		struct verdict_message m = {.id = 99};
		enum verdict_json result =
			verdict_json_decode(refusals[i].line, strlen(refusals[i].line), &m, &error);

		if (result != refusals[i].result || strcmp(error.code, refusals[i].code) != 0 ||
		    !strstr(error.message, refusals[i].message))
			fail_msg("%s: %d %s: %s", refusals[i].line, (int)result, error.code,
				 error.message);
		assert_int_equal(m.id, result == VERDICT_JSON_INVALID ||
						       result == VERDICT_JSON_BAD_PROGRESS
					       ? 7
					       : 0);
		assert_int_equal(m.extend_ms, 0);
		assert_int_equal(m.window, 0);
		/* Nothing that a careless caller could take for a decision, nothing to free. */
		assert_null(m.verdict.text);
		assert_int_equal(m.verdict.code, 0);
	}
}

static void test_signals(void **state)
{
	static const struct {
		const char *line;
		enum verdict_json result;
	} rows[] = {
		{"{\"type\":\"ping\"}", VERDICT_JSON_PING},
		{"{\"type\":\"ping\",\"id\":\"x\",\"must\":[]}", VERDICT_JSON_PING},
		{"{\"type\":\"pong\"}", VERDICT_JSON_PONG},
		{"{\"type\":\"drain\"}", VERDICT_JSON_DRAIN},
		{"{\"type\":\"drain\",\"must\":[\"wait\"]}", VERDICT_JSON_BROKEN},
		{"{\"type\":\"Ping\"}", VERDICT_JSON_UNKNOWN},
		{"{\"type\":\"ping\",\"must\":[\"time\"]}", VERDICT_JSON_BROKEN},
		{"{\"type\":\"pong\",\"must\":1}", VERDICT_JSON_BROKEN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct verdict_json_error error;
		struct verdict_message m;

		assert_int_equal(
			verdict_json_decode(rows[i].line, strlen(rows[i].line), &m, &error),
			rows[i].result);
	}
}

static struct verdict_message decode(const char *line, enum verdict_json expected)
{
	struct verdict_json_error error;
	struct verdict_message m;

	if (verdict_json_decode(line, strlen(line), &m, &error) != expected)
		fail_msg("%s: %s", line, error.message);
	return m;
}

static void test_progress_and_window(void **state)
{
	static const struct {
		const char *line;
		unsigned window;
	} windows[] = {
		{"{\"type\":\"window\",\"n\":0}", 0},
		{"{\"type\":\"window\",\"n\":16}", 16},
		{"{\"type\":\"window\",\"n\":256}", 256},
		{"{\"type\":\"window\",\"n\":257}", 256},
		{"{\"type\":\"window\",\"n\":9007199254740991}", 256},
	};
	struct verdict_message m;

	(void)state;
	for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++)
		assert_int_equal(decode(windows[i].line, VERDICT_JSON_WINDOW).window,
				 windows[i].window);
	m = decode("{\"type\":\"progress\",\"id\":7,\"extend_ms\":3600000}", VERDICT_JSON_PROGRESS);
	assert_int_equal(m.id, 7);
	assert_int_equal(m.extend_ms, 3600000);
}

static void test_until_and_labels(void **state)
{
	struct verdict_message m = decode(
		REPLY(",\"verdict\":\"quarantine\",\"until\":\"transaction\",\"labels\":[\"a\","
		      "\"b.c\"]"),
		VERDICT_JSON_REPLY);

	(void)state;
	assert_int_equal(m.verdict.kind, VERDICT_QUARANTINE);
	assert_int_equal(m.verdict.until, VERDICT_UNTIL_TRANSACTION);
	assert_string_equal(m.verdict.labels, "a b.c");
	verdict_fini(&m.verdict);
	m = decode(REPLY(",\"verdict\":\"bypass\",\"until\":\"session\""), VERDICT_JSON_REPLY);
	assert_int_equal(m.verdict.until, VERDICT_UNTIL_SESSION);
	assert_null(m.verdict.labels);
	verdict_fini(&m.verdict);
}

/* What is kept is JSON again when it comes back, with the same values in the same order; and what
 * comes back may be kept again without an end: it does not grow. */
static void test_what_is_kept_stays_what_it_is(void **state)
{
	static const char *const rows[][2] = {
		{"{}", "{}"},
		{"{ \"z\" : 1 , \"a\" : [ ] }", "{\"z\":1,\"a\":[]}"},
		{"{\"n\":[9007199254740991,-9007199254740991,0,null,true]}",
		 "{\"n\":[9007199254740991,-9007199254740991,0,null,true]}"},
		{"{\"r\":[0.1,6.0,1e300]}",
		 "{\"r\":[0.10000000000000001,6.0,1.0000000000000001e300]}"},
		{"{\"t\":\"\\u00fc\\n\\\\/\\\"\"}", "{\"t\":\"\xc3\xbc\\n\\\\/\\\"\"}"},
	};
	char line[512];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct verdict_message m;

		snprintf(line, sizeof line,
			 REPLY(",\"verdict\":\"accept\",\"keep\":{\"session\":%s}"), rows[i][0]);
		m = decode(line, VERDICT_JSON_REPLY);
		assert_string_equal(m.verdict.keep_session, rows[i][1]);
		assert_null(m.verdict.keep_transaction);
		snprintf(line, sizeof line,
			 REPLY(",\"verdict\":\"accept\",\"keep\":{\"transaction\":%s}"),
			 m.verdict.keep_session);
		verdict_fini(&m.verdict);
		m = decode(line, VERDICT_JSON_REPLY);
		assert_string_equal(m.verdict.keep_transaction, rows[i][1]);
		verdict_fini(&m.verdict);
	}
}

static void test_null_forgets_and_absent_does_not(void **state)
{
	struct verdict_message m = decode(
		REPLY(",\"verdict\":\"tempfail\",\"keep\":{\"session\":null}"), VERDICT_JSON_REPLY);

	(void)state;
	assert_string_equal(m.verdict.keep_session, "");
	assert_null(m.verdict.keep_transaction);
	verdict_fini(&m.verdict);
}

static void decode_valid(const char *name, const char *line, size_t len)
{
	struct verdict_json_error error;
	struct verdict_message m;
	char problem[256];

	if (verdict_json_decode(line, len, &m, &error) != VERDICT_JSON_REPLY)
		fail_msg("%s: %s", name, error.message);
	assert_null(verdict_problem(&m.verdict, problem, sizeof problem));
	verdict_fini(&m.verdict);
}

static void decode_invalid(const char *name, const char *line, size_t len)
{
	struct verdict_json_error error;
	struct verdict_message m;

	if (verdict_json_decode(line, len, &m, &error) == VERDICT_JSON_REPLY)
		fail_msg("%s is accepted", name);
	assert_true(error.code[0] && error.message[0]);
	for (const char *p = error.message; *p; p++)
		assert_in_range(*p, ' ', '~');
}

static void decode_valid_signal(const char *name, const char *line, size_t len)
{
	struct verdict_json_error error;
	struct verdict_message m;

	if (verdict_json_decode(line, len, &m, &error) >= VERDICT_JSON_INVALID)
		fail_msg("%s: %s", name, error.message);
}

static void decode_invalid_signal(const char *name, const char *line, size_t len)
{
	struct verdict_json_error error;
	struct verdict_message m;

	if (verdict_json_decode(line, len, &m, &error) < VERDICT_JSON_INVALID)
		fail_msg("%s is accepted", name);
	assert_string_equal(error.code, "bad_message");
}

static void decode_line(const char *name, const char *line, size_t len)
{
	struct verdict_json_error error;
	struct verdict_message m;

	if (verdict_json_decode(line, len, &m, &error) != VERDICT_JSON_BROKEN)
		fail_msg("%s is not refused", name);
}

static void test_examples(void **state)
{
	(void)state;
	assert_true(examples_each("valid", "reply-", decode_valid) > 40);
	assert_true(examples_each("invalid", "reply-", decode_invalid) > 150);
	assert_true(examples_each("valid", "progress", decode_valid_signal) >= 2);
	assert_true(examples_each("invalid", "progress-", decode_invalid_signal) >= 10);
	assert_true(examples_each("valid", "window", decode_valid_signal) >= 3);
	assert_true(examples_each("invalid", "window-", decode_invalid_signal) >= 6);
	assert_true(examples_each("invalid", "line-", decode_line) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_progress_and_window),
		cmocka_unit_test(test_until_and_labels),
		cmocka_unit_test(test_what_is_kept_stays_what_it_is),
		cmocka_unit_test(test_null_forgets_and_absent_does_not),
		cmocka_unit_test(test_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
