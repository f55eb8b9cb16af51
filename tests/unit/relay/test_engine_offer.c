#include "relay/relay_engine_offer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define XCLIENT_TWO (RELAY_XCLIENT_ADDR | RELAY_XCLIENT_HELO)

/* Lines with "|" between. */
static const struct {
	const char *lines;
	struct relay_engine_offer offer;
} rows[] = {
	{"", {0}},
	{"PIPELINING", {.pipelining = true}},
	{"pipelining", {.pipelining = true}},
	{" PIPELINING", {.pipelining = true}},
	{"PIPELINING x", {.pipelining = true}},
	{"PIPELININGX", {0}},
	{"XPIPELINING", {0}},
	{"8BITMIME|SMTPUTF8|DSN", {.eight_bit = true, .smtputf8 = true, .dsn = true}},
	{"STARTTLS|REQUIRETLS|ENHANCEDSTATUSCODES",
	 {.starttls = true, .requiretls = true, .enhanced = true}},
	{"CHUNKING", {.chunking = true}},
	{"BINARYMIME", {0}},
	{"BINARYMIME|CHUNKING", {.binary = true, .chunking = true}},
	{"SIZE", {0}},
	{"SIZE 0", {0}},
	{"SIZE 1000", {.size = 1000}},
	{"SIZE  1000  x", {.size = 1000}},
	{"SIZE 18446744073709551615", {.size = UINT64_MAX}},
	{"SIZE 18446744073709551616", {0}},
	{"SIZE 99999999999999999999999", {0}},
	{"SIZE 10x", {0}},
	{"SIZE -1", {0}},
	{"SIZE=1000", {0}},
	{"AUTH PLAIN LOGIN", {.auth_plain = true}},
	{"AUTH LOGIN plain", {.auth_plain = true}},
	{"AUTH LOGIN", {0}},
	{"AUTH PLAINER", {0}},
	{"AUTH", {0}},
	{"LIMITS RCPTMAX=20 MAILMAX=5", {.recipients = 20, .messages = 5}},
	{"LIMITS rcptmax=1", {.recipients = 1}},
	{"LIMITS RCPTMAX= MAILMAX=x RCPTDOMAINMAX=1", {0}},
	{"LIMITS RCPTMAX=999999", {.recipients = 999999}},
	{"LIMITS RCPTMAX=1000000", {0}},
	{"XCLIENT ADDR HELO NEWS", {.xclient = XCLIENT_TWO}},
	{"XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT", {.xclient = 255}},
	{"XCLIENT", {0}},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct relay_engine_offer have = {0}, want = rows[i].offer;
		char *copy = strdup(rows[i].lines), *save = NULL;

		for (char *line = strtok_r(copy, "|", &save); line;
		     line = strtok_r(NULL, "|", &save))
			relay_offer_add(&have, (struct octets){line, strlen(line)});
		relay_offer_end(&have);
		free(copy);
		assert_int_equal(have.pipelining, want.pipelining);
		assert_int_equal(have.eight_bit, want.eight_bit);
		assert_int_equal(have.smtputf8, want.smtputf8);
		assert_int_equal(have.dsn, want.dsn);
		assert_int_equal(have.chunking, want.chunking);
		assert_int_equal(have.binary, want.binary);
		assert_int_equal(have.starttls, want.starttls);
		assert_int_equal(have.requiretls, want.requiretls);
		assert_int_equal(have.enhanced, want.enhanced);
		assert_int_equal(have.auth_plain, want.auth_plain);
		assert_int_equal(have.xclient, want.xclient);
		assert_int_equal(have.size, want.size);
		assert_int_equal(have.recipients, want.recipients);
		assert_int_equal(have.messages, want.messages);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
