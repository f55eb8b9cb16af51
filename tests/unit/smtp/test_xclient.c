#include "smtp/smtp_xclient.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A50  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A255 A50 A50 A50 A50 A50 "aaaaa"

/* "given|name|addr|port|proto|helo|login|destaddr|destport", or "bad". */
static const struct {
	const char *input, *expected;
} table[] = {
	{"NAME=mail.example.net", "1|mail.example.net||0|||||0"},
	{"ADDR=192.0.2.1", "2||192.0.2.1|0|||||0"},
	{"ADDR=IPV6:2001:db8::1", "2||2001:db8::1|0|||||0"},
	{"addr=ipv6:::ffff:192.0.2.1", "2||::ffff:192.0.2.1|0|||||0"},
	{"PORT=25", "4|||25|||||0"},
	{"PORT=65535", "4|||65535|||||0"},
	{"PROTO=SMTP", "8|||0|SMTP||||0"},
	{"PROTO=esmtp", "8|||0|ESMTP||||0"},
	{"HELO=client", "16|||0||client|||0"},
	{"HELO=[192.0.2.1]", "16|||0||[192.0.2.1]|||0"},
	{"LOGIN=alice@example.org", "32|||0|||alice@example.org||0"},
	{"LOGIN=+C3+BC", "32|||0|||\xc3\xbc||0"},
	{"DESTADDR=192.0.2.25", "64|||0||||192.0.2.25|0"},
	{"DESTPORT=587", "128|||0|||||587"},
	{"NAME=a  ADDR=192.0.2.1 PORT=1 PROTO=ESMTP HELO=b LOGIN=c DESTADDR=IPV6:::1 DESTPORT=2",
	 "255|a|192.0.2.1|1|ESMTP|b|c|::1|2"},
	{"NAME=[UNAVAILABLE]", "1|||0|||||0"},
	{"NAME=[TEMPUNAVAIL]", "1|||0|||||0"},
	{"name=[unavailable] ADDR=[UNAVAILABLE] PORT=[UNAVAILABLE] HELO=[UNAVAILABLE] "
	 "LOGIN=[UNAVAILABLE] DESTADDR=[UNAVAILABLE] DESTPORT=[UNAVAILABLE]",
	 "247|||0|||||0"},
	{"NAME=" A255, "1|" A255 "||0|||||0"},
	{"NAME=" A255 "a", "bad"},
	{"HELO=" A255 "a", "bad"},
	{"LOGIN=" A255 "a", "bad"},
	{"", "bad"},
	{" ", "bad"},
	{"NAME", "bad"},
	{"NAME=", "bad"},
	{"=a", "bad"},
	{"NAME=a NAME=b", "bad"},
	{"NAME=a name=a", "bad"},
	{"NAME=a b", "bad"},
	{"SOURCE=LOCAL", "bad"},
	{"NAMEX=a", "bad"},
	{"NAME=a=b", "bad"},
	{"NAME=a+", "bad"},
	{"NAME=a+20b", "bad"},
	{"NAME=a+00", "bad"},
	{"NAME=a/b", "bad"},
	{"NAME=+C3+BC", "bad"},
	{"ADDR=192.0.2", "bad"},
	{"ADDR=192.0.2.256", "bad"},
	{"ADDR=2001:db8::1", "bad"}, /* without its prefix */
	{"ADDR=IPV6:192.0.2.1", "bad"},
	{"ADDR=IPV6:2001:db8:::1", "bad"},
	{"ADDR=IPV6:", "bad"},
	{"ADDR=localhost", "bad"},
	{"PORT=0", "bad"},
	{"PORT=65536", "bad"},
	{"PORT=100000000000000000025", "bad"},
	{"PORT=-1", "bad"},
	{"PORT=2a", "bad"},
	{"PROTO=LMTP", "bad"},
	{"PROTO=[UNAVAILABLE]", "bad"},
	{"HELO=a+0Db", "bad"},
	{"HELO=a+20b", "bad"},
	{"LOGIN=a+7F", "bad"},
	{"LOGIN=a+FF", "bad"},
	{"LOGIN=+C3", "bad"},
	{"DESTADDR=x", "bad"},
	{"DESTPORT=x", "bad"},
};

static void show(const struct smtp_xclient *x, char *out, size_t size)
{
	snprintf(out, size, "%u|%s|%s|%u|%s|%s|%s|%s|%u", x->given, x->name, x->addr, x->port,
		 x->proto, x->helo, x->login, x->destaddr, x->destport);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		size_t len = strlen(table[i].input);
		char *exact = malloc(len ? len : 1), shown[2048] = "bad";
		struct smtp_xclient x = {0};

		memcpy(exact, table[i].input, len);
		if (smtp_xclient_parse(exact, len, &x))
			show(&x, shown, sizeof shown);
		if (strcmp(shown, table[i].expected))
			fail_msg("%s: %s, expected %s", table[i].input, shown, table[i].expected);
		free(exact);
	}
}

/* Several commands add to each other; the later one wins. */
static void test_several(void **state)
{
	static const struct {
		const char *input, *expected;
	} rows[] = {
		{"NAME=a ADDR=192.0.2.1 PORT=1", "7|a|192.0.2.1|1|||||0"},
		{"HELO=h LOGIN=l", "55|a|192.0.2.1|1||h|l||0"},
		{"ADDR=IPV6:::1 LOGIN=[UNAVAILABLE]", "55|a|::1|1||h|||0"},
		{"PORT=[UNAVAILABLE]", "55|a|::1|0||h|||0"},
	};
	struct smtp_xclient x = {0};
	char shown[2048];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_true(smtp_xclient_parse(rows[i].input, strlen(rows[i].input), &x));
		show(&x, shown, sizeof shown);
		assert_string_equal(shown, rows[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
