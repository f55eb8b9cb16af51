#include "smtp/smtp_received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *input;
	unsigned count;
} table[] = {
	{"", 0},
	{"Received: a\r\n", 1},
	{"Received:", 1},
	{"Received", 0},
	{"received: a\r\nRECEIVED: b\r\n", 2},
	{"Received : a\r\nReceived\t: b\r\n", 2},
	{"Received-SPF: a\r\nX-Received: b\r\nReceive: c\r\nReceivedd: d\r\n", 0},
	{" Received: a\r\n", 0},
	{"Received: a\r\n Received: b\r\n", 1},
	{"Subject: Received: a\r\n", 0},
	{"Received: a\r\n\r\nReceived: b\r\n", 1},
	{"\r\nReceived: b\r\n", 0},
	{"Received\r\nReceived: b\r\n", 1},
	/* no CRLF: where such messages are accepted */
	{"Received: a\nReceived: b\n", 2},
	{"Received: a\n\nReceived: b\n", 1},
	{"\nReceived: b\n", 0},
	{"\rReceived: a\r\nReceived: b\r\n", 1}, /* a CR alone is no empty line */
	{"\r\rReceived: a\r\nReceived: b\r\n", 1},
	{"Received: a\rReceived: b\r\n", 1},
	{"\r", 0},
};

/* In one piece, and cut at every place. */
static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		size_t len = strlen(table[i].input);

		for (size_t cut = 0; cut <= len; cut++) {
			struct smtp_received r = {0};

			smtp_received_scan(&r, table[i].input, cut);
			smtp_received_scan(&r, table[i].input + cut, len - cut);
			if (r.count != table[i].count)
				fail_msg("%zu, cut at %zu: %u", i, cut, r.count);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
