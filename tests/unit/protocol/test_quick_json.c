/* Whatever the quick reader reads, jansson reads in the same way under the rules of strict_json. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "examples.h"
#include "protocol/quick_json.h"
#include "protocol/strict_json.h"
#include "protocol/verdict_json.h"

#define L(text) text, sizeof(text) - 1

static unsigned depth_of(const json_t *value)
{
	unsigned deepest = 0, depth;
	const char *key;
	json_t *item;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value))
		return 0;
	json_array_foreach(value, i, item)
	{
		depth = depth_of(item);
		deepest = depth > deepest ? depth : deepest;
	}
	json_object_foreach((json_t *)(uintptr_t)value, key, item)
	{
		depth = depth_of(item);
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

/* True when it was read quickly. The copy ends where the line ends, so that AddressSanitizer sees
 * who looks beyond it. */
static bool compare(const char *line, size_t len)
{
	char *copy = malloc(len ? len : 1);
	json_t *quick, *other;

	assert_non_null(copy);
	memcpy(copy, line, len);
	quick = quick_json_object(copy, len);
	if (quick) {
		other = json_loadb(copy, len, JSON_REJECT_DUPLICATES, NULL);
		if (!other || !json_equal(quick, other) || depth_of(other) > STRICT_JSON_DEPTH_MAX)
			fail_msg("read quickly, and not as jansson does: %.*s", (int)len, line);
		json_decref(other);
	}
	json_decref(quick);
	free(copy);
	return quick != NULL;
}

static void test_lines(void **state)
{
	static const struct {
		const char *line;
		size_t len;
		bool quick;
	} rows[] = {
		{L("{}"), true},
		{L("{\"type\":\"reply\",\"id\":7,\"verdict\":\"accept\"}"), true},
		{L(" { \"a\" : [ 1 , 2 ] , \"b\" : { } }\r"), true},
		{L("{\"a\":[true,false,null,\"\",0,[],{}]}"), true},
		{L("{\"a\":999999999999999}"), true},
		{L("{\"a\":1000000000000000}"), false},
		{L("{\"a\":01}"), false},
		{L("{\"a\":-1}"), false},
		{L("{\"a\":1.0}"), false},
		{L("{\"a\":1e3}"), false},
		{L("{\"a\":}"), false},
		{L("{\"a\":tru}"), false},
		{L("{\"a\":truee}"), false},
		{L("{\"a\":1,}"), false},
		{L("{,\"a\":1}"), false},
		{L("{\"a\":[1,]}"), false},
		{L("{\"a\":[1 2]}"), false},
		{L("{\"a\" 1}"), false},
		{L("{\"a\":1 \"b\":2}"), false},
		{L("{\"a\":1,\"a\":1}"), false},
		{L("{\"x\":[{\"a\":1,\"a\":2}]}"), false},
		{L("{\"a\":\"\\n\"}"), false},
		{L("{\"\\u0061\":1}"), false},
		{L("{\"a\":\"\xc3\xbc\"}"), false},
		{L("{\"a\":\"\xff\"}"), false},
		{L("{\"a\":\"\x7f\"}"), false},
		{L("{\"a\":\"\t\"}"), false},
		{L("{\"a\":\"\0\"}"), false},
		{L("{}\0"), false},
		{L("{} {}"), false},
		{L("{}x"), false},
		{L("{\"a\":[}"), false},
		{L("{\"a\":{]}"), false},
		{L("[]"), false},
		{L("[1}"), false},
		{L("1"), false},
		{L(""), false},
		{L(" "), false},
		{L("{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}"), true},
		{L("{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}"), false},
		{L("{\"123456789 123456789 123456789 123456789 123456789 123456789 123\":1}"),
		 true},
		{L("{\"123456789 123456789 123456789 123456789 123456789 123456789 1234\":1}"),
		 false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (compare(rows[i].line, rows[i].len) != rows[i].quick)
			fail_msg("row %zu: %s", i, rows[i].line);
}

static unsigned quick_examples;

static void compare_example(const char *name, const char *line, size_t len)
{
	(void)name;
	quick_examples += compare(line, len);
}

/* The examples are what is said in practice: if few of them were read quickly, this reader would
 * be of no use, and the comparison a comparison of nothing. */
static void test_examples(void **state)
{
	static const char *const prefixes[] = {"c", "d", "e", "g", "h", "l", "p", "r", "s", "w"};
	unsigned valid = 0, invalid = 0;

	(void)state;
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
		valid += examples_each("valid", prefixes[i], compare_example);
	assert_true(valid > 100 && quick_examples > valid / 2);
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
		invalid += examples_each("invalid", prefixes[i], compare_example);
	assert_true(invalid > 100);
}

/* Each cut of it, and each octet of it replaced, doubled and left out. */
static void mutate_example(const char *name, const char *line, size_t len)
{
	static const char others[] = "{}[]\",:\\0123456789tfn -.e \t\r\n\x01\x7f\x80\xc3";
	char *copy;

	(void)name;
	if (len > 800)
		return;
	copy = malloc(len + 1);
	assert_non_null(copy);
	for (size_t i = 0; i < len; i++) {
		compare(line, i);
		memcpy(copy, line, i);
		memcpy(copy + i, line + i + 1, len - i - 1);
		compare(copy, len - 1);
		memcpy(copy + i + 1, line + i, len - i);
		copy[i] = line[i];
		compare(copy, len + 1);
		memcpy(copy, line, len);
		for (size_t n = 0; n < sizeof others; n += 1 + i % 3) {
			copy[i] = others[n];
			compare(copy, len);
		}
	}
	free(copy);
}

static void test_mutations(void **state)
{
	(void)state;
	examples_each("valid", "request-rcpt", mutate_example);
	examples_each("valid", "reply-accept", mutate_example);
	examples_each("invalid", "line", mutate_example);
}

/* A space before it, and it is read as JSON: with the same result. */
static void compare_with_spaced(const char *line, size_t len)
{
	char spaced[128] = " ", *exact = malloc(len);
	struct verdict_json_error error;
	struct verdict_message quick, slow;
	enum verdict_json quick_result, slow_result;

	assert_true(exact && len < sizeof spaced - 1);
	memcpy(exact, line, len);
	memcpy(spaced + 1, line, len);
	quick_result = verdict_json_decode(exact, len, &quick, &error);
	slow_result = verdict_json_decode(spaced, len + 1, &slow, &error);
	if (quick_result != slow_result || quick.id != slow.id ||
	    quick.verdict.kind != slow.verdict.kind)
		fail_msg("read quickly, and not as JSON is: %.*s", (int)len, line);
	verdict_fini(&quick.verdict);
	verdict_fini(&slow.verdict);
	free(exact);
}

/* The commonest line is known by its octets, without being parsed. What is nearly that line must
 * not be taken for it. */
static void test_nearly_an_accept(void **state)
{
	static const char *const lines[] = {
		"{\"type\":\"reply\",\"id\":7,\"verdict\":\"accept\"}",
		"{\"type\":\"reply\",\"id\":0,\"verdict\":\"accept\"}",
		"{\"type\":\"reply\",\"id\":07,\"verdict\":\"accept\"}",
		"{\"type\":\"reply\",\"id\":,\"verdict\":\"accept\"}",
		"{\"type\":\"reply\",\"id\":999999999999999,\"verdict\":\"accept\"}",
		"{\"type\":\"reply\",\"id\":9007199254740991,\"verdict\":\"accept\"}",
		"{\"type\":\"reply\",\"id\":9007199254740992,\"verdict\":\"accept\"}",
		"{\"type\":\"reply\",\"id\":7,\"verdict\":\"accept\",\"verdict\":\"reject\"}",
		"{\"type\":\"reply\",\"id\":7,\"verdict\":\"accept\"}{}",
	};

	(void)state;
	for (size_t row = 0; row < sizeof lines / sizeof lines[0]; row++) {
		size_t len = strlen(lines[row]);
		char changed[128];

		compare_with_spaced(lines[row], len);
		for (size_t i = 0; i < len; i++) {
			compare_with_spaced(lines[row], i + 1);
			memcpy(changed, lines[row], i);
			memcpy(changed + i, lines[row] + i + 1, len - i - 1);
			compare_with_spaced(changed, len - 1);
			memcpy(changed, lines[row], len);
			for (int octet = 0; octet < 256; octet++) {
				changed[i] = (char)octet;
				compare_with_spaced(changed, len);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_nearly_an_accept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
