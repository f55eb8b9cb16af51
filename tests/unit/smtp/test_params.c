#include "smtp/smtp_params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *input, *expected;
} table[] = {
	{"", ""},
	{" ", ""},
	{" SIZE=1000", "SIZE=1000;"},
	{" SIZE=1000 BODY=8BITMIME", "SIZE=1000;BODY=8BITMIME;"},
	{"  SIZE=1000   SMTPUTF8 ", "SIZE=1000;SMTPUTF8;"},
	{" x", "x;"},
	{" 8", "8;"},
	{" a-b=c", "a-b=c;"},
	{" a=<>+\"\\", "a=<>+\"\\;"},
	{" a=b<=c", "bad"},
	{" a=b=c", "bad"},
	{" a=", "bad"},
	{" a= b", "bad"},
	{" =b", "bad"},
	{" -a=b", "bad"},
	{" a_b=c", "bad"},
	{" a.b", "bad"},
	{"SIZE=1", "bad"},
	{"\tSIZE=1", "bad"},
	{" a\tb", "bad"},
	{" a=\tb", "bad"},
	{" a=\x7f", "bad"},
	{" a=\xc3\xbc", "a=\xc3\xbc;"}, /* RFC 6531 3.3; whether it is UTF-8, others see */
	{" a=\xff b", "a=\xff;b;"},
	{" a\xc3\xbc=b", "bad"},
	{" \xc3\xbc", "bad"},
	{" a a", "twice"},
	{" a=1 A=2", "twice"},
	{" a ab a-", "a;ab;a-;"},
	{" a b a=", "bad"},
	{" 0 1 2 3 4 5 6 7 8 9 a b c d e f", "0;1;2;3;4;5;6;7;8;9;a;b;c;d;e;f;"},
	{" 0 1 2 3 4 5 6 7 8 9 a b c d e f g", "bad"},
};

static void show(const char *input, size_t len, char *out, size_t size)
{
	struct smtp_params params;
	size_t at = 0;

	out[0] = '\0';
	switch (smtp_params_parse(input, len, &params)) {
	case SMTP_PARAMS_GOOD:
		for (size_t i = 0; i < params.len; i++) {
			const struct hook_param *p = &params.list[i];

			at += (size_t)snprintf(out + at, size - at, "%.*s%s%.*s;", (int)p->name.len,
					       p->name.data, p->value.data ? "=" : "",
					       (int)p->value.len,
					       p->value.data ? p->value.data : "");
		}
		break;
	case SMTP_PARAMS_BAD:
		snprintf(out, size, "bad");
		break;
	case SMTP_PARAMS_DUPLICATE:
		snprintf(out, size, "twice");
		break;
	}
}

static void test_table(void **state)
{
	char shown[1024];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		size_t len = strlen(table[i].input);
		char *exact = malloc(len ? len : 1);

		memcpy(exact, table[i].input, len);
		show(exact, len, shown, sizeof shown);
		if (strcmp(shown, table[i].expected))
			fail_msg("\"%s\": %s, expected %s", table[i].input, shown,
				 table[i].expected);
		free(exact);
	}
}

static void test_nul(void **state)
{
	struct smtp_params params;

	(void)state;
	assert_int_equal(smtp_params_parse(" a\0b", 4, &params), SMTP_PARAMS_BAD);
	assert_int_equal(smtp_params_parse(" a=\0", 4, &params), SMTP_PARAMS_BAD);
	assert_int_equal(smtp_params_parse("\0", 1, &params), SMTP_PARAMS_BAD);
}

static void test_size(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t size;
	} sizes[] = {
		{"0", true, 0},
		{"1", true, 1},
		{"0000000000000000012", true, 12},
		{"18446744073709551615", true, UINT64_MAX},
		{"18446744073709551614", true, UINT64_MAX - 1},
		{"18446744073709551616", true, UINT64_MAX},
		{"99999999999999999999", true, UINT64_MAX},
		{"100000000000000000000", false, 0}, /* 21 digits */
		{"", false, 0},
		{"-1", false, 0},
		{"+1", false, 0},
		{"1k", false, 0},
		{"0x10", false, 0},
		{" 1", false, 0},
	};
	uint64_t size;

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct octets value = {sizes[i].text, strlen(sizes[i].text)};

		assert_int_equal(smtp_params_size(value, &size), sizes[i].good);
		if (sizes[i].good)
			assert_true(size == sizes[i].size);
	}
	assert_false(smtp_params_size((struct octets){NULL, 0}, &size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
