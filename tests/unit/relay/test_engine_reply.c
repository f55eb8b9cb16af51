#include "relay/relay_engine_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *input;
	int code;
	unsigned lines;
	const char *status, *text;
} good[] = {
	{"250 OK\r\n", 250, 1, "", "OK"},
	{"250\r\n", 250, 1, "", ""},
	{"250 \r\n", 250, 1, "", ""},
	{"250-a\r\n250-b\r\n250 c\r\n", 250, 3, "", "a"},
	{"250-\r\n250\r\n", 250, 2, "", ""},
	{"354 2.0.0 go\r\n", 354, 1, "", "2.0.0 go"},
	{"250 2.1.5 OK\r\n", 250, 1, "2.1.5", "OK"},
	{"550 5.1.1   gone  \r\n", 550, 1, "5.1.1", "gone"},
	{"550 5.1.1\r\n", 550, 1, "5.1.1", ""},
	{"550-5.7.123 a\r\n550 5.7.124 b\r\n", 550, 2, "5.7.123", "a"},
	{"452 4.3.1 full\r\n", 452, 1, "4.3.1", "full"},
	/* a class that is not the code's, and what is no enhanced code */
	{"550 2.1.1 lies\r\n", 550, 1, "", "2.1.1 lies"},
	{"250 5.1.1 lies\r\n", 250, 1, "", "5.1.1 lies"},
	{"550 5.1 a\r\n", 550, 1, "", "5.1 a"},
	{"550 5.1.\r\n", 550, 1, "", "5.1."},
	{"550 5.1.1.1 a\r\n", 550, 1, "", "5.1.1.1 a"},
	{"550 5.1.1: a\r\n", 550, 1, "", "5.1.1: a"},
	{"550 5.1234.1 a\r\n", 550, 1, "", "5.1234.1 a"},
	{"550 5..1 a\r\n", 550, 1, "", "5..1 a"},
	/* made safe */
	{"250 a\tb\x01\x7f\xc3\xa4\r\n", 250, 1, "", "a?b????"},
	{"250 a\rb\r\r\n", 250, 1, "", "a?b?"},
};

static const char *const bad[] = {
	"\r\n",		  "\n",		"250 OK\n",  "250-a\r\n250 b\n",   "25\r\n",
	"2500 a\r\n",	  "25O a\r\n",	"150 a\r\n", "600 a\r\n",	   "050 a\r\n",
	"-50 a\r\n",	  "250\ta\r\n", "250_a\r\n", "250-a\r\n251 b\r\n", "250-a\r\n550 b\r\n",
	"250-a\r\nb\r\n", " 250 a\r\n", "hello\r\n", "SSH-2.0-x\r\n",
};

/* Reads what is there, whole or cut at `cut`. */
static enum relay_reply_result read_all(struct relay_reply *reply, const char *input, size_t len,
					size_t cut)
{
	size_t at = 0, come = cut, used;
	enum relay_reply_result result;
	struct octets line;

	*reply = (struct relay_reply){0};
	for (;;) {
		char *copy = malloc(come - at + 1);

		memcpy(copy, input + at, come - at);
		copy = realloc(copy, come - at ? come - at : 1);
		result = relay_reply_read(reply, copy, come - at, &line, &used);
		free(copy);
		at += used;
		if (result == RELAY_REPLY_MORE && come < len)
			come = len;
		else if (result != RELAY_REPLY_LINE)
			break;
	}
	if (result == RELAY_REPLY_DONE)
		assert_int_equal(at, len);
	return result;
}

static void test_good(void **state)
{
	struct relay_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		size_t len = strlen(good[i].input);

		for (size_t cut = 0; cut <= len; cut++) {
			assert_int_equal(read_all(&reply, good[i].input, len, cut),
					 RELAY_REPLY_DONE);
			assert_int_equal(reply.code, good[i].code);
			assert_int_equal(reply.lines, good[i].lines);
			assert_string_equal(reply.status, good[i].status);
			assert_string_equal(reply.text, good[i].text);
		}
		assert_int_equal(read_all(&reply, good[i].input, len - 1, len - 1),
				 RELAY_REPLY_MORE);
	}
}

static void test_bad(void **state)
{
	struct relay_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		for (size_t cut = 0; cut <= strlen(bad[i]); cut++)
			assert_int_equal(read_all(&reply, bad[i], strlen(bad[i]), cut),
					 RELAY_REPLY_BAD);
}

static void test_nul(void **state)
{
	struct relay_reply reply;

	(void)state;
	assert_int_equal(read_all(&reply, "250 a\0b\r\n", 9, 0), RELAY_REPLY_DONE);
	assert_string_equal(reply.text, "a?b");
}

/* The longest line, one octet more with and without its end, and a text that is cut. */
static void test_long_line(void **state)
{
	char input[RELAY_REPLY_LINE_MAX + 4];
	struct relay_reply reply;

	(void)state;
	memset(input, 'a', sizeof input);
	memcpy(input, "250 ", 4);
	memcpy(input + RELAY_REPLY_LINE_MAX, "\r\n", 2);
	assert_int_equal(read_all(&reply, input, RELAY_REPLY_LINE_MAX + 2, 1), RELAY_REPLY_DONE);
	assert_int_equal(strlen(reply.text), RELAY_REPLY_TEXT_MAX - 1);
	memcpy(input + RELAY_REPLY_LINE_MAX, "a\r\n", 3);
	assert_int_equal(read_all(&reply, input, RELAY_REPLY_LINE_MAX + 3, 1), RELAY_REPLY_BAD);
	assert_int_equal(read_all(&reply, input, RELAY_REPLY_LINE_MAX + 2, 1), RELAY_REPLY_BAD);
	assert_int_equal(read_all(&reply, input, RELAY_REPLY_LINE_MAX + 1, 1), RELAY_REPLY_MORE);
}

static void test_many_lines(void **state)
{
	char input[(RELAY_REPLY_LINES_MAX + 1) * 7 + 1];
	struct relay_reply reply;
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < RELAY_REPLY_LINES_MAX; i++, n += 7)
		memcpy(input + n, "250-a\r\n", 7);
	input[n - 4] = ' ';
	assert_int_equal(read_all(&reply, input, n, 0), RELAY_REPLY_DONE);
	assert_int_equal(reply.lines, RELAY_REPLY_LINES_MAX);
	input[n - 4] = '-';
	memcpy(input + n, "250 a\r\n", 7);
	assert_int_equal(read_all(&reply, input, n + 7, 0), RELAY_REPLY_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	   cmocka_unit_test(test_bad),
		cmocka_unit_test(test_nul),	   cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_many_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
