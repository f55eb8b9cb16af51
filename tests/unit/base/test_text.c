#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void test_is(void **state)
{
	(void)state;
	assert_true(text_is("MAIL", 4, "mail"));
	assert_true(text_is("mAiLx", 4, "MAIL"));
	assert_false(text_is("MAI", 3, "MAIL"));
	assert_false(text_is("MAILX", 5, "MAIL"));
	assert_true(text_is("", 0, ""));
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		double seconds; /* -1: refused */
	} table[] = {
		{"30s", 30},
		{"5m", 300},
		{"1h", 3600},
		{"250ms", 0.25},
		{"2d", 172800},
		{"0s", 0},
		{"30", -1},
		{"s", -1},
		{"", -1},
		{"-1s", -1},
		{"1.5s", -1},
		{"30 s", -1},
		{"30S", -1},
		{"30sec", -1},
		{" 30s", -1},
		{"999999999999d", 999999999999.0 * 86400},
		{"9999999999999s", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		double seconds = -1;
		bool ok = text_duration(table[i].text, &seconds);

		assert_int_equal(ok, table[i].seconds >= 0);
		if (ok)
			assert_true(seconds == table[i].seconds);
	}
}

static void test_size(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t octets;
	} table[] = {
		{"512", true, 512},
		{"64K", true, 65536},
		{"25M", true, 26214400},
		{"2G", true, 2147483648},
		{"0", true, 0},
		{"", false, 0},
		{"K", false, 0},
		{"25m", false, 0},
		{"25MB", false, 0},
		{"-1", false, 0},
		{"1.5M", false, 0},
		{"0x10", false, 0},
		{"999999999999G", false, 0},
		{"1 M", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		uint64_t octets = 1;

		assert_int_equal(text_size(table[i].text, &octets), table[i].ok);
		if (table[i].ok)
			assert_int_equal(octets, table[i].octets);
	}
}

static void test_escape(void **state)
{
	char out[64];

	(void)state;
	text_escape("plain", 5, out, sizeof out);
	assert_string_equal(out, "plain");
	text_escape("a\r\n\"\\\xff", 6, out, sizeof out);
	assert_string_equal(out, "a\\u000d\\u000a\\u0022\\u005c\\u00ff");
	text_escape_line("a\r\n\"\\\xff", 6, out, sizeof out);
	assert_string_equal(out, "a\\u000d\\u000a\"\\u005c\\u00ff");
	text_escape("abc\0def", 7, out, sizeof out);
	assert_string_equal(out, "abc\\u0000def");
	/* Cut between characters, never inside an escape. */
	text_escape("ab\n\n", 4, out, 9);
	assert_string_equal(out, "ab\\u000a");
	text_escape("ab\n\n", 4, out, 14);
	assert_string_equal(out, "ab\\u000a");
	text_escape("abc", 3, out, 1);
	assert_string_equal(out, "");
}

static void test_times(void **state)
{
	char out[64];

	(void)state;
	text_time(out, sizeof out);
	assert_int_equal(strlen(out), 27);
	assert_int_equal(out[10], 'T');
	assert_int_equal(out[19], '.');
	assert_int_equal(out[26], 'Z');
	text_mail_date(out, sizeof out);
	assert_string_equal(out + strlen(out) - 6, " +0000");
	assert_int_equal(out[3], ',');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is),    cmocka_unit_test(test_duration),
		cmocka_unit_test(test_size),  cmocka_unit_test(test_escape),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
