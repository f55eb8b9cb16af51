#include "smtp/smtp_xtext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* NULL: no xtext. */
static const struct {
	const char *input, *expected;
	bool printable;
} table[] = {
	{"", "", true},		{"a", "a", true},
	{"a+20b", "a b", true}, {"+2B+3D", "+=", true},
	{"!~", "!~", true},	{"<alice@example.net>", "<alice@example.net>", true},
	{"+09", "\t", true},	{"+0A", "\n", false},
	{"+7F", "\x7f", false}, {"+C3+BC", "\xc3\xbc", false},
	{"+", NULL, false},	{"+2", NULL, false},
	{"a+2", NULL, false},	{"+2b", NULL, false}, /* upper case only */
	{"+G0", NULL, false},	{"+-1", NULL, false},
	{"++20", NULL, false},	{"a=b", NULL, false},
	{"a b", NULL, false},	{"a\tb", NULL, false},
	{"\x7f", NULL, false},	{"\xc3\xbc", NULL, false},
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		size_t len = strlen(table[i].input), out_len;
		char *exact = malloc(len ? len : 1), out[64];
		bool good;

		memcpy(exact, table[i].input, len);
		good = smtp_xtext_decode(exact, len, out, sizeof out, &out_len);
		if (good != (table[i].expected != NULL))
			fail_msg("%s: %s", table[i].input, good ? "good" : "bad");
		if (good) {
			assert_int_equal(out_len, strlen(table[i].expected));
			assert_memory_equal(out, table[i].expected, out_len);
		}
		if (smtp_xtext_is_printable(exact, len) != table[i].printable)
			fail_msg("%s: printable or not", table[i].input);
		free(exact);
	}
}

static void test_room(void **state)
{
	char out[3];
	size_t len;

	(void)state;
	assert_true(smtp_xtext_decode("a+20b", 5, out, 3, &len));
	assert_int_equal(len, 3);
	assert_false(smtp_xtext_decode("a+20b", 5, out, 2, &len));
	assert_true(smtp_xtext_decode("+00", 3, out, 1, &len));
	assert_int_equal(out[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
