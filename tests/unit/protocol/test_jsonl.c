#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocol/jsonl.h"

/* Takes every line there is and appends it, with "|" after it. */
static void take(struct jsonl *j, char *to)
{
	char *line;
	size_t len;

	while (jsonl_next(j, &line, &len)) {
		assert_int_equal(line[len], '\0');
		line[len] = '|'; /* in place of the NUL */
		strncat(to, line, len + 1);
	}
}

static void feed_copy(struct jsonl *j, const char *data, size_t len, bool expected)
{
	char *copy = malloc(len + !len); /* of just this size, so that a step beyond it is seen */

	memcpy(copy, data, len);
	assert_int_equal(jsonl_feed(j, copy, len), expected);
	free(copy);
}

static const char stream[] = "{}\n\n  \t\r\n{\"a\":1}\r\n x \n{\"last\":true}\nrest";
static const char lines[] = "{}|{\"a\":1}\r| x |{\"last\":true}|";

static void test_every_split(void **state)
{
	size_t len = sizeof stream - 1;

	(void)state;
	for (size_t a = 0; a <= len; a++) {
		for (size_t b = a; b <= len; b++) {
			struct jsonl j;
			char got[128] = "";

			jsonl_init(&j, 64);
			feed_copy(&j, stream, a, true);
			take(&j, got);
			feed_copy(&j, stream + a, b - a, true);
			take(&j, got);
			feed_copy(&j, stream + b, len - b, true);
			take(&j, got);
			assert_string_equal(got, lines);
			assert_int_equal(j.len - j.start, 4);
			jsonl_fini(&j);
		}
	}
}

static void test_octet_by_octet(void **state)
{
	struct jsonl j;
	char got[128] = "";

	(void)state;
	jsonl_init(&j, 64);
	for (size_t i = 0; i < sizeof stream - 1; i++) {
		feed_copy(&j, stream + i, 1, true);
		take(&j, got);
	}
	assert_string_equal(got, lines);
	jsonl_fini(&j);
}

static void test_longest_line_at_every_split(void **state)
{
	static const char fits[] = "ab\n12345678\ncd\n", exceeds[] = "ab\n123456789\ncd\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof exceeds; cut++) {
		struct jsonl j;
		char got[64] = "";

		jsonl_init(&j, 8);
		if (cut < sizeof fits) {
			feed_copy(&j, fits, cut, true);
			take(&j, got);
			feed_copy(&j, fits + cut, sizeof fits - 1 - cut, true);
			take(&j, got);
			assert_string_equal(got, "ab|12345678|cd|");
			assert_int_equal(j.len, 0);
		}
		jsonl_fini(&j);

		got[0] = '\0';
		feed_copy(&j, exceeds, cut, cut < 12);
		take(&j, got);
		feed_copy(&j, exceeds + cut, sizeof exceeds - 1 - cut, false);
		take(&j, got);
		/* The line before it is given, nothing after it is: not even what looks like a
		 * line. */
		assert_string_equal(got, "ab|");
		assert_true(j.too_long);
		feed_copy(&j, "ef\n", 3, false);
		take(&j, got);
		assert_string_equal(got, "ab|");
		jsonl_fini(&j);
	}
}

static void test_line_without_end_is_refused_early(void **state)
{
	struct jsonl j;
	char block[1000];
	size_t fed = 0;

	(void)state;
	memset(block, 'x', sizeof block);
	jsonl_init(&j, 10000);
	while (jsonl_feed(&j, block, sizeof block)) {
		char *line;
		size_t len;

		fed += sizeof block;
		assert_false(jsonl_next(&j, &line, &len));
		assert_true(fed <= 10000);
	}
	assert_int_equal(fed, 10000);
	assert_true(j.size < 32768);
	jsonl_fini(&j);
}

static void test_nul_is_an_octet_like_others(void **state)
{
	struct jsonl j;
	char *line;
	size_t len;

	(void)state;
	jsonl_init(&j, 8);
	feed_copy(&j, "a\0b\n\0\n", 6, true);
	assert_true(jsonl_next(&j, &line, &len));
	assert_int_equal(len, 3);
	assert_memory_equal(line, "a\0b", 4);
	assert_true(jsonl_next(&j, &line, &len));
	assert_int_equal(len, 1);
	assert_false(jsonl_next(&j, &line, &len));
	jsonl_fini(&j);
}

static void test_much_memory_is_given_back(void **state)
{
	static char line[100000];
	struct jsonl j;
	char got[64] = "", *taken;
	size_t len;

	(void)state;
	jsonl_init(&j, sizeof line);
	assert_null(j.data);
	feed_copy(&j, "one\ntwo\n", 8, true);
	take(&j, got);
	assert_string_equal(got, "one|two|");
	assert_true(j.size <= 65536);
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	feed_copy(&j, line, sizeof line, true);
	assert_true(jsonl_next(&j, &taken, &len));
	assert_false(jsonl_next(&j, &taken, &len));
	assert_null(j.data);
	feed_copy(&j, "three\n", 6, true);
	take(&j, got);
	assert_string_equal(got, "one|two|three|");
	jsonl_fini(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_split),
		cmocka_unit_test(test_octet_by_octet),
		cmocka_unit_test(test_longest_line_at_every_split),
		cmocka_unit_test(test_line_without_end_is_refused_early),
		cmocka_unit_test(test_nul_is_an_octet_like_others),
		cmocka_unit_test(test_much_memory_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
