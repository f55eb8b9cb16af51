#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "protocol/strict_json.h"

#define L(text) text, sizeof(text) - 1

static void test_lines(void **state)
{
	static const struct {
		const char *line;
		size_t len;
		const char *problem; /* NULL: allowed */
	} rows[] = {
		{L("{}"), NULL},
		{L(" {\"a\" : [1, -0, 1.5e3, true, null, \"\\u00e9\\ud83d\\ude00\"]}\r"), NULL},
		{L("{\"a\":9007199254740991,\"b\":-9007199254740991}"), NULL},
		{L("{\"a\":{\"a\":1}}"), NULL},
		{L("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), "not a JSON object"},
		{L("{\"a\":\"[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[\"}"), NULL},
		{L("{\"\\\\\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}"), NULL},
		{L("{\"\\\\\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}"), "nested deeper than 16"},
		{L("[[[[[[[[[[[[[[[[["), "nested deeper than 16"},
		{L(""), "not a strict JSON object"},
		{L("null"), "not a strict JSON object"},
		{L("[]"), "not a JSON object"},
		{L("{} {}"), "not a strict JSON object"},
		{L("{}x"), "not a strict JSON object"},
		{L("{\"a\":1,\"a\":1}"), "duplicate"},
		{L("{\"a\":1,\"\\u0061\":1}"), "duplicate"},
		{L("{\"x\":[{\"a\":1,\"a\":1}]}"), "duplicate"},
		{L("{\"a\":9007199254740992}"), "beyond 2^53-1"},
		{L("{\"a\":[{\"b\":-9007199254740992}]}"), "beyond 2^53-1"},
		{L("{\"a\":18446744073709551617}"), "not a strict JSON object"},
		{L("{\"a\":1e999}"), "not a strict JSON object"},
		{L("{\"a\":NaN}"), "not a strict JSON object"},
		{L("{\"a\":01}"), "not a strict JSON object"},
		{L("{\"a\":+1}"), "not a strict JSON object"},
		{L("{'a':1}"), "not a strict JSON object"},
		{L("{\"a\":1,}"), "not a strict JSON object"},
		{L("{\"a\":\"\\u0000\"}"), "not a strict JSON object"},
		{L("{\"\\u0000\":1}"), "not a strict JSON object"},
		{L("{\"a\":\"\0\"}"), "not a strict JSON object"},
		{L("{}\0"), "not a strict JSON object"},
		{L("{\"a\":\"\\ud800\"}"), "not a strict JSON object"},
		{L("{\"a\":\"\\udc00\\ud800\"}"), "not a strict JSON object"},
		{L("{\"a\":\"\xff\"}"), "not a strict JSON object"},
		{L("{\"a\":\"\xc0\xaf\"}"), "not a strict JSON object"},
		{L("{\"a\":\"\xed\xa0\x80\"}"), "not a strict JSON object"},
		{L("{\"a\":\"\xf4\x90\x80\x80\"}"), "not a strict JSON object"},
		{L("\xef\xbb\xbf{}"), "not a strict JSON object"},
		{L("{\"a\":\"\t\"}"), "not a strict JSON object"},
		{L("{\"a\":\"\x1b[31m"), "not a strict JSON object"},
	};
	char problem[256];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *value =
			strict_json_parse(rows[i].line, rows[i].len, problem, sizeof problem);

		if (!value != !!rows[i].problem)
			fail_msg("row %zu: %s", i, value ? "allowed" : problem);
		if (!value && !strstr(problem, rows[i].problem))
			fail_msg("row %zu: %s instead of %s", i, problem, rows[i].problem);
		for (const char *p = problem; !value && *p; p++)
			assert_in_range(*p, ' ', '~');
		json_decref(value);
	}
}

static void test_showing(void **state)
{
	static const char *const rows[][2] = {
		{"\"bob\"", "\"bob\""},
		{"\"a\\u001b\\n\\u00fc\"", "\"a?\?\?\?\""},
		{"\"0123456789012345678901234567890123456789ab\"",
		 "\"0123456789012345678901234567890123456789ab\""},
		{"\"0123456789012345678901234567890123456789abc\"",
		 "\"0123456789012345678901234567890123456789ab...\""},
		{"-12", "-12"},
		{"1.5", "the real number 1.5"},
		{"true", "true"},
		{"false", "false"},
		{"null", "null"},
		{"[1]", "an array"},
		{"{}", "an object"},
	};
	char shown[STRICT_JSON_SHOWN_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *value = json_loads(rows[i][0], JSON_DECODE_ANY, NULL);

		assert_string_equal(strict_json_show(value, shown), rows[i][1]);
		json_decref(value);
	}
	assert_string_equal(strict_json_show(NULL, shown), "nothing");
}

static void test_must(void **state)
{
	static const struct {
		const char *object, *problem;
	} rows[] = {
		{"{}", NULL},
		{"{\"must\":[]}", NULL},
		{"{\"must\":[\"fly\"]}", "\"must\" names an unknown feature: \"fly\""},
		{"{\"must\":[1]}", "\"must\" names an unknown feature: 1"},
		{"{\"must\":\"fly\"}", "\"must\" must be an array of strings, not \"fly\""},
		{"{\"must\":null}", "\"must\" must be an array of strings, not null"},
	};
	char problem[128];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *object = json_loads(rows[i].object, 0, NULL);
		bool understood = strict_json_is_understood(object, problem, sizeof problem);

		assert_int_equal(understood, !rows[i].problem);
		if (!understood)
			assert_string_equal(problem, rows[i].problem);
		json_decref(object);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_showing),
		cmocka_unit_test(test_must),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
