#include "smtp/smtp_dsn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A10 "aaaaaaaaaa"
#define A50 A10 A10 A10 A10 A10
#define A99 A50 A10 A10 A10 A10 "aaaaaaaaa"

static const struct {
	bool (*is_good)(struct octets value);
	const char *value; /* NULL: absent */
	bool good;
} table[] = {
	{smtp_dsn_ret, "FULL", true},
	{smtp_dsn_ret, "hdrs", true},
	{smtp_dsn_ret, "HDR", false},
	{smtp_dsn_ret, "FULL,HDRS", false},
	{smtp_dsn_ret, NULL, false},
	{smtp_dsn_envid, "QQ314159", true},
	{smtp_dsn_envid, "a+20b+2B", true},
	{smtp_dsn_envid, A99 "a", true},
	{smtp_dsn_envid, A99 "aa", false},
	{smtp_dsn_envid, "a+2", false},
	{smtp_dsn_envid, "a=b", false},
	{smtp_dsn_envid, "+0D+0A", false}, /* a line of its own in a notification */
	{smtp_dsn_envid, "\xc3\xbc", false},
	{smtp_dsn_envid, NULL, false},
	{smtp_dsn_notify, "NEVER", true},
	{smtp_dsn_notify, "never", true},
	{smtp_dsn_notify, "SUCCESS", true},
	{smtp_dsn_notify, "Failure", true},
	{smtp_dsn_notify, "DELAY", true},
	{smtp_dsn_notify, "SUCCESS,FAILURE,DELAY", true},
	{smtp_dsn_notify, "DELAY,SUCCESS", true},
	{smtp_dsn_notify, "NEVER,SUCCESS", false},
	{smtp_dsn_notify, "SUCCESS,NEVER", false},
	{smtp_dsn_notify, "SUCCESS,", false},
	{smtp_dsn_notify, ",SUCCESS", false},
	{smtp_dsn_notify, "SUCCESS,,DELAY", false},
	{smtp_dsn_notify, "SUCCESS;DELAY", false},
	{smtp_dsn_notify, "ALWAYS", false},
	{smtp_dsn_notify, NULL, false},
	{smtp_dsn_orcpt, "rfc822;bob@example.com", true},
	{smtp_dsn_orcpt, "RFC822;a+20b@c", true},
	{smtp_dsn_orcpt, "x400;/S+3Db/", true},
	{smtp_dsn_orcpt, "rfc822;a;b", true},
	{smtp_dsn_orcpt, "rfc822", false},
	{smtp_dsn_orcpt, "rfc822;", false},
	{smtp_dsn_orcpt, ";a", false},
	{smtp_dsn_orcpt, "a b;c", false},
	{smtp_dsn_orcpt, "a@b;c", false},
	{smtp_dsn_orcpt, "rfc822;a+2", false},
	{smtp_dsn_orcpt, "rfc822;+0A", false},
	{smtp_dsn_orcpt, "rfc822;\xc3\xbc", false},
	{smtp_dsn_orcpt, "rfc822;" A99 A99 A99 A99 A50 A10 A10 A10 A10 "aaaaaaa", true},   /* 500 */
	{smtp_dsn_orcpt, "rfc822;" A99 A99 A99 A99 A50 A10 A10 A10 A10 "aaaaaaaa", false}, /* 501 */
	{smtp_dsn_orcpt, "utf-8;\xc3\xbc@example.com", true},
	{smtp_dsn_orcpt, "UTF-8;\\x{FC}@example.com", true},
	{smtp_dsn_orcpt, "utf-8;\\x{10FFFF}", true},
	{smtp_dsn_orcpt, "utf-8;\\x{}", false},
	{smtp_dsn_orcpt, "utf-8;\\x{1000000}", false},
	{smtp_dsn_orcpt, "utf-8;\\x{FC", false},
	{smtp_dsn_orcpt, "utf-8;\\x{G}", false},
	{smtp_dsn_orcpt, "utf-8;\\", false},
	{smtp_dsn_orcpt, "utf-8;a+b", false},
	{smtp_dsn_orcpt, NULL, false},
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const char *value = table[i].value;
		struct octets octets = {NULL, value ? strlen(value) : 0};
		char *exact = malloc(octets.len ? octets.len : 1);

		if (value)
			octets.data = memcpy(exact, value, octets.len);
		if (table[i].is_good(octets) != table[i].good)
			fail_msg("%zu: %s", i, value ? value : "(absent)");
		free(exact);
	}
}

/* A NUL stands for nothing, wherever it is. */
static void test_nul(void **state)
{
	static const struct {
		bool (*is_good)(struct octets value);
		const char *value;
	} rows[] = {
		{smtp_dsn_ret, "FULL"},
		{smtp_dsn_envid, "ab+20"},
		{smtp_dsn_notify, "SUCCESS,DELAY"},
		{smtp_dsn_orcpt, "rfc822;a+20b"},
		{smtp_dsn_orcpt, "utf-8;\\x{FC}b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t len = strlen(rows[i].value);

		for (size_t at = 0; at < len; at++) {
			char copy[32];

			memcpy(copy, rows[i].value, len + 1);
			copy[at] = '\0';
			assert_false(rows[i].is_good((struct octets){copy, len}));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
