#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocol/utf8.h"

/* Encodes without any check, surrogates and what lies beyond included. */
static size_t encode(unsigned c, char *to)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static void test_every_code_point(void **state)
{
	char text[4];

	(void)state;
	for (unsigned c = 0; c < 0x120000; c++) {
		size_t n = encode(c, text);
		size_t expected = c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;

		if (utf8_length(text, n) != expected)
			fail_msg("U+%04X has length %zu", c, utf8_length(text, n));
		if (expected && utf8_code_point(text, n) != c)
			fail_msg("U+%04X is read as U+%04X", c, utf8_code_point(text, n));
		for (size_t cut = 0; cut < n; cut++)
			assert_int_equal(utf8_length(text, cut), 0);
	}
}

static void test_overlong_forms_and_strays(void **state)
{
	static const char *const texts[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc0\xaf",
		"\xc1\xbf",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf5\x80\x80\x80",
		"\xf8\x88\x80\x80\x80",
		"\xfe",
		"\xff",
		"\xc3(",
		"\xe2\x82(",
		"\xe2(\xa1",
		"\xf0\x9f\x98(",
		"\xf0\x9f(\x80",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_int_equal(utf8_length(texts[i], strlen(texts[i])), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_overlong_forms_and_strays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
