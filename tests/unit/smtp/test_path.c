#include "smtp/smtp_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A10   "aaaaaaaaaa"
#define A60   A10 A10 A10 A10 A10 A10
#define A63   A60 "aaa"
#define A64   A60 "aaaa"
#define D255  A63 "." A63 "." A63 "." A63 /* 255 octets */
#define ROUTE "@a.example,@b-2.example:"

enum { REVERSE = 1, FORWARD = 2, BOTH = 3 };

/* What a path reads as: "address|local|domain|rest", "8bit " before it if octets above 127 are in
 * the path; or "bad". */
static const struct {
	const char *input;
	int kinds;
	const char *expected;
} table[] = {
	/* plain */
	{"<a@b>", BOTH, "a@b|a|b|"},
	{"<user@example.com>", BOTH, "user@example.com|user|example.com|"},
	{"<User@EXAMPLE.com>", BOTH, "User@EXAMPLE.com|User|EXAMPLE.com|"},
	{"<a.b.c@d.e.f> SIZE=1", BOTH, "a.b.c@d.e.f|a.b.c|d.e.f| SIZE=1"},
	{"<a@b>x", BOTH, "a@b|a|b|x"},
	{"<a@1.2>", BOTH, "a@1.2|a|1.2|"},
	{"<a@1-2--3.x>", BOTH, "a@1-2--3.x|a|1-2--3.x|"},
	{"<1@2>", BOTH, "1@2|1|2|"},
	/* RFC 3696 section 3 */
	{"<\"Abc\\@def\"@example.com>", BOTH, "\"Abc\\@def\"@example.com|Abc@def|example.com|"},
	{"<\"Fred\\ Bloggs\"@example.com>", BOTH,
	 "\"Fred\\ Bloggs\"@example.com|Fred Bloggs|example.com|"},
	{"<\"Joe.\\\\Blow\"@example.com>", BOTH,
	 "\"Joe.\\\\Blow\"@example.com|Joe.\\Blow|example.com|"},
	{"<\"Abc@def\"@example.com>", BOTH, "\"Abc@def\"@example.com|Abc@def|example.com|"},
	{"<\"Fred Bloggs\"@example.com>", BOTH,
	 "\"Fred Bloggs\"@example.com|Fred Bloggs|example.com|"},
	{"<customer/department=shipping@example.com>", BOTH,
	 "customer/department=shipping@example.com|customer/department=shipping|example.com|"},
	{"<$A12345@example.com>", BOTH, "$A12345@example.com|$A12345|example.com|"},
	{"<!def!xyz%abc@example.com>", BOTH, "!def!xyz%abc@example.com|!def!xyz%abc|example.com|"},
	{"<_somename@example.com>", BOTH, "_somename@example.com|_somename|example.com|"},
	{"<user+mailbox@example.com>", BOTH, "user+mailbox@example.com|user+mailbox|example.com|"},
	{"<!#$%&'*+-/=?^_`{|}~@x>", BOTH, "!#$%&'*+-/=?^_`{|}~@x|!#$%&'*+-/=?^_`{|}~|x|"},
	{"<Abc\\@def@example.com>", BOTH, "bad"}, /* its erratum: not without quotes */
	/* quoted strings */
	{"<\"\"@example.com>", BOTH, "\"\"@example.com||example.com|"},
	{"<\" \"@x>", BOTH, "\" \"@x| |x|"},
	{"<\">\"@x>", BOTH, "\">\"@x|>|x|"},
	{"<\"\\\"\"@x>", BOTH, "\"\\\"\"@x|\"|x|"},
	{"<\"a\"b@x>", BOTH, "bad"},
	{"<\"a\".b@x>", BOTH, "bad"},
	{"<a.\"b\"@x>", BOTH, "bad"},
	{"<\"a@x>", BOTH, "bad"},
	{"<\"a\\", BOTH, "bad"},
	{"<\"a\t\"@x>", BOTH, "bad"},
	{"<\"a\\\t\"@x>", BOTH, "bad"},
	/* source routes: read and dropped */
	{"<" ROUTE "u@c.example>", BOTH, "u@c.example|u|c.example|"},
	{"<@a:u@b>", BOTH, "u@b|u|b|"},
	{"<@a,b:u@c>", BOTH, "bad"},
	{"<@a,:u@c>", BOTH, "bad"},
	{"<@a u@c>", BOTH, "bad"},
	{"<@:u@c>", BOTH, "bad"},
	{"<@[1.2.3.4]:u@c>", BOTH, "bad"},
	{"<@a:>", BOTH, "bad"},
	{"<@a:postmaster>", REVERSE, "bad"},
	{"<@a:u@b", BOTH, "bad"},
	/* null path and postmaster */
	{"<>", REVERSE, "|||"},
	{"<> BODY=7BIT", REVERSE, "||| BODY=7BIT"},
	{"<>", FORWARD, "bad"},
	{"< >", BOTH, "bad"},
	{"<postmaster>", FORWARD, "postmaster|postmaster||"},
	{"<PostMaster>", FORWARD, "PostMaster|PostMaster||"},
	{"<postmaster>", REVERSE, "bad"},
	{"<\"postmaster\">", FORWARD, "bad"},
	{"<postmaste>", FORWARD, "bad"},
	{"<postmaster@>", BOTH, "bad"},
	{"<postmaster@x>", BOTH, "postmaster@x|postmaster|x|"},
	/* no path */
	{"", BOTH, "bad"},
	{"<", BOTH, "bad"},
	{">", BOTH, "bad"},
	{"a@b", BOTH, "bad"},
	{" <a@b>", BOTH, "bad"},
	{"<a@b", BOTH, "bad"},
	{"<<a@b>>", BOTH, "bad"},
	{"<a@b> >", BOTH, "a@b|a|b| >"},
	{"<a b@c>", BOTH, "bad"},
	{"< a@b>", BOTH, "bad"},
	{"<a@b >", BOTH, "bad"},
	{"<a@@b>", BOTH, "bad"},
	{"<a@b@c>", BOTH, "bad"},
	{"<@b>", BOTH, "bad"},
	{"<a@>", BOTH, "bad"},
	{"<a>", BOTH, "bad"},
	{"<.a@b>", BOTH, "bad"},
	{"<a.@b>", BOTH, "bad"},
	{"<a..b@c>", BOTH, "bad"},
	{"<a(c)@b>", BOTH, "bad"},
	{"<a,b@c>", BOTH, "bad"},
	{"<a@b,c@d>", BOTH, "bad"},
	{"<a;b@c>", BOTH, "bad"},
	/* domains */
	{"<a@.b>", BOTH, "bad"},
	{"<a@b.>", BOTH, "bad"},
	{"<a@b..c>", BOTH, "bad"},
	{"<a@-b>", BOTH, "bad"},
	{"<a@b->", BOTH, "bad"},
	{"<a@b-.c>", BOTH, "bad"},
	{"<a@b_c>", BOTH, "bad"},
	{"<a@b!c>", BOTH, "bad"},
	{"<a@b%c>", BOTH, "bad"},
	{"<a@b:25>", BOTH, "bad"},
	/* lengths */
	{"<" A64 "@x>", BOTH, A64 "@x|" A64 "|x|"},
	{"<" A64 "a@x>", BOTH, "bad"},
	{"<\"" A60 "aa\"@x>", BOTH, "\"" A60 "aa\"@x|" A60 "aa|x|"},
	{"<\"" A60 "aaa\"@x>", BOTH, "bad"},
	{"<\"" A60 "\\a\\a\"@x>", BOTH, "bad"},
	{"<a@" A63 ">", BOTH, "a@" A63 "|a|" A63 "|"},
	{"<a@" A64 ">", BOTH, "bad"},
	{"<a@x." A64 ">", BOTH, "bad"},
	{"<a@" D255 ">", BOTH, "a@" D255 "|a|" D255 "|"},
	{"<a@" A60 "." A63 "." A63 "." A63 ".aaaa>", BOTH, "bad"}, /* 257 */
	/* address literals */
	{"<a@[127.0.0.1]>", BOTH, "a@[127.0.0.1]|a|[127.0.0.1]|"},
	{"<a@[255.255.255.255]>", BOTH, "a@[255.255.255.255]|a|[255.255.255.255]|"},
	{"<a@[001.2.3.4]>", BOTH, "a@[001.2.3.4]|a|[001.2.3.4]|"},
	{"<a@[256.0.0.1]>", BOTH, "bad"},
	{"<a@[1.2.3]>", BOTH, "bad"},
	{"<a@[1.2.3.4.5]>", BOTH, "bad"},
	{"<a@[1.2.3.]>", BOTH, "bad"},
	{"<a@[1.2.3.0004]>", BOTH, "bad"},
	{"<a@[1.2.3.4>", BOTH, "bad"},
	{"<a@1.2.3.4]>", BOTH, "bad"},
	{"<a@[]>", BOTH, "bad"},
	{"<a@[example]>", BOTH, "bad"},
	{"<a@[1.2.3.4].com>", BOTH, "bad"},
	{"<a@[IPv6:::]>", BOTH, "a@[IPv6:::]|a|[IPv6:::]|"},
	{"<a@[IPv6:::1]>", BOTH, "a@[IPv6:::1]|a|[IPv6:::1]|"},
	{"<a@[ipv6:1::]>", BOTH, "a@[ipv6:1::]|a|[ipv6:1::]|"},
	{"<a@[IPv6:2001:db8::1]>", BOTH, "a@[IPv6:2001:db8::1]|a|[IPv6:2001:db8::1]|"},
	{"<a@[IPv6:1:2:3:4:5:6:7:8]>", BOTH, "a@[IPv6:1:2:3:4:5:6:7:8]|a|[IPv6:1:2:3:4:5:6:7:8]|"},
	{"<a@[IPv6:1:2:3:4:5:6:1.2.3.4]>", BOTH,
	 "a@[IPv6:1:2:3:4:5:6:1.2.3.4]|a|[IPv6:1:2:3:4:5:6:1.2.3.4]|"},
	{"<a@[IPv6:::ffff:1.2.3.4]>", BOTH, "a@[IPv6:::ffff:1.2.3.4]|a|[IPv6:::ffff:1.2.3.4]|"},
	{"<a@[IPv6:1:2:3:4::1.2.3.4]>", BOTH,
	 "a@[IPv6:1:2:3:4::1.2.3.4]|a|[IPv6:1:2:3:4::1.2.3.4]|"},
	{"<a@[IPv6:1:2:3:4:5::1.2.3.4]>", BOTH, "bad"},
	{"<a@[IPv6:1:2:3:4:5:6::]>", BOTH, "a@[IPv6:1:2:3:4:5:6::]|a|[IPv6:1:2:3:4:5:6::]|"},
	{"<a@[IPv6:1:2:3:4:5:6:7::]>", BOTH, "bad"},
	{"<a@[IPv6:1:2:3:4:5:6:7]>", BOTH, "bad"},
	{"<a@[IPv6:1:2:3:4:5:6:7:8:9]>", BOTH, "bad"},
	{"<a@[IPv6:1::2::3]>", BOTH, "bad"},
	{"<a@[IPv6::1:2]>", BOTH, "bad"},
	{"<a@[IPv6:1:2:]>", BOTH, "bad"},
	{"<a@[IPv6:1:::2]>", BOTH, "bad"},
	{"<a@[IPv6:1::2:]>", BOTH, "bad"},
	{"<a@[IPv6:1.2.3.4::1]>", BOTH, "bad"},
	{"<a@[IPv6:12345::]>", BOTH, "bad"},
	{"<a@[IPv6:g::]>", BOTH, "bad"},
	{"<a@[IPv6:]>", BOTH, "bad"},
	{"<a@[IPv6]>", BOTH, "bad"},
	{"<a@[tag:x]>", BOTH, "bad"}, /* registered tags only */
	{"<a@[2001:db8::1]>", BOTH, "bad"},
	{"<a@[::1]>", BOTH, "bad"},
	{"<a@[:x]>", BOTH, "bad"},
	{"<a@[IPv4:1.2.3.4]>", BOTH, "bad"},
	{"<a@[IPv6:1.2.3.4]>", BOTH, "bad"},
	/* octets above 127: in all parts of RFC 6531, UTF-8 or not */
	{"<\xc3\xbc@example.com>", BOTH, "8bit \xc3\xbc@example.com|\xc3\xbc|example.com|"},
	{"<a.\xc3\xbc"
	 "b@x>",
	 BOTH,
	 "8bit a.\xc3\xbc"
	 "b@x|a.\xc3\xbc"
	 "b|x|"},
	{"<a@\xc3\xbc.example>", BOTH, "8bit a@\xc3\xbc.example|a|\xc3\xbc.example|"},
	{"<a@b-\xc3\xbc>", BOTH, "8bit a@b-\xc3\xbc|a|b-\xc3\xbc|"},
	{"<\"\xc3\xbc b\"@x>", BOTH, "8bit \"\xc3\xbc b\"@x|\xc3\xbc b|x|"},
	{"<@\xc3\xbc:a@x>", BOTH, "8bit a@x|a|x|"},
	{"<\xff@\x80>", BOTH, "8bit \xff@\x80|\xff|\x80|"},
	{"<a@" A63 "\xc3\xbc>", BOTH, "8bit a@" A63 "\xc3\xbc|a|" A63 "\xc3\xbc|"},
	{"<a@" A63 "." A63 "." A63 "." A60 "a\xc3\xbc>", BOTH,
	 "8bit a@" A63 "." A63 "." A63 "." A60 "a\xc3\xbc|a|" A63 "." A63 "." A63 "." A60
	 "a\xc3\xbc|"},
	{"<a@" A63 "." A63 "." A63 "." A60 "aa\xc3\xbc>", BOTH, "bad"}, /* 256 octets */
	{"<" A60 "aa\xc3\xbc@x>", BOTH, "8bit " A60 "aa\xc3\xbc@x|" A60 "aa\xc3\xbc|x|"},
	{"<" A60 "aaa\xc3\xbc@x>", BOTH, "bad"}, /* 65 octets, though 64 characters */
	{"<\"\\\xc3\xbc\"@x>", BOTH, "bad"},
	{"<a@\xc3\xbc->", BOTH, "bad"},
	{"<a@-\xc3\xbc>", BOTH, "bad"},
	{"<a@[\xc3\xbc]>", BOTH, "bad"},
	{"<\xc3\xbc b@x>", BOTH, "bad"},
	{"\xc3\xbc@x", BOTH, "bad"},
	{"<a@b>\xc3\xbc", BOTH, "a@b|a|b|\xc3\xbc"},
	{"<a b>\xc3\xbc", BOTH, "bad"},
};

static void show(enum smtp_path_kind kind, const char *input, size_t len, char *out, size_t size)
{
	struct smtp_path path;

	if (!smtp_path_parse(kind, input, len, &path)) {
		snprintf(out, size, "bad");
		return;
	}
	snprintf(out, size, "%s%.*s|%.*s|%.*s|%.*s", path.eight_bit ? "8bit " : "",
		 (int)path.address.len, path.address.data, (int)path.local_len, path.local,
		 (int)path.domain.len, path.domain.data, (int)(len - path.used), input + path.used);
	assert_non_null(path.address.data);
	assert_non_null(path.domain.data);
}

static void check_row(size_t row, enum smtp_path_kind kind)
{
	size_t len = strlen(table[row].input);
	char *exact = malloc(len + 1); /* of its true size, so that a read behind it is found */
	char shown[2048];

	memcpy(exact, table[row].input, len);
	exact = realloc(exact, len ? len : 1);
	show(kind, exact, len, shown, sizeof shown);
	if (strcmp(shown, table[row].expected))
		fail_msg("%s: %s, expected %s", table[row].input, shown, table[row].expected);
	free(exact);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (table[i].kinds & REVERSE)
			check_row(i, SMTP_PATH_REVERSE);
		if (table[i].kinds & FORWARD)
			check_row(i, SMTP_PATH_FORWARD);
	}
}

/* A NUL is never part of a path, wherever it stands. */
static void test_nul(void **state)
{
	static const char path[] = "<@a.b:\"q w\"@example.com>";
	struct smtp_path read;

	(void)state;
	for (size_t i = 0; i < sizeof path - 1; i++) {
		char copy[sizeof path];

		memcpy(copy, path, sizeof path);
		copy[i] = '\0';
		assert_false(smtp_path_parse(SMTP_PATH_REVERSE, copy, sizeof path - 1, &read));
	}
}

/* A path that is cut short is no path, wherever the cut is. */
static void test_every_cut(void **state)
{
	static const char path[] = "<@a.\xc3\xbc:\"q\\ w\xc3\xbc\"@[IPv6:1::2]>";
	struct smtp_path read;

	(void)state;
	for (size_t i = 0; i < sizeof path - 1; i++) {
		char *cut = malloc(i + 1);

		memcpy(cut, path, i);
		cut = realloc(cut, i ? i : 1);
		assert_false(smtp_path_parse(SMTP_PATH_REVERSE, cut, i, &read));
		free(cut);
	}
	assert_true(smtp_path_parse(SMTP_PATH_REVERSE, path, sizeof path - 1, &read));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
