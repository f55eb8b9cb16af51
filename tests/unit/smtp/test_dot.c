#include "smtp/smtp_dot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "smtp/smtp_received.h"

#define ROW(input, body, bare)                                                                     \
	{                                                                                          \
		input, sizeof input - 1, body, sizeof body - 1, bare                               \
	}

/* Everything behind the end must stay. */
static const struct {
	const char *input;
	size_t len;
	const char *body;
	size_t body_len;
	bool bare;
} ended[] = {
	ROW(".\r\n", "", false),
	ROW("\r\n.\r\n", "\r\n", false),
	ROW("a\r\n.\r\n", "a\r\n", false),
	ROW("a\r\nb\r\n.\r\n", "a\r\nb\r\n", false),
	ROW("..\r\n.\r\n", ".\r\n", false),
	ROW("..a\r\n.b\r\n...\r\n.\r\n", ".a\r\nb\r\n..\r\n", false),
	ROW("a.\r\n.\r\n", "a.\r\n", false),
	ROW("a\r\n. \r\n.\r\n", "a\r\n \r\n", false),
	ROW("\0\xff\x01\r\n.\r\n", "\0\xff\x01\r\n", false),
	ROW("\r\n\r\n\r\n.\r\n", "\r\n\r\n\r\n", false),
	/* smuggling: none of these forms ends the message, all of them are told */
	ROW("a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", true),
	ROW("a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", true),
	ROW("a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", true),
	ROW("a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", true),
	ROW("a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", true),
	ROW("a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", true),
	ROW("a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n", true),
	ROW("a\r\r\n.\r\n", "a\r\r\n", true),
	ROW(".\n.\r\n\r\n.\r\n", "\n.\r\n\r\n", true),
	ROW("\n.\r\n\r\n.\r\n", "\n.\r\n\r\n", true),
	ROW("\n..\r\n.\r\n", "\n..\r\n", true),
	ROW("a\0\n.\r\n.\r\n", "a\0\n.\r\n", true),
	ROW("\n\n\n\r\n.\r\n", "\n\n\n\r\n", true),
	ROW("\r\r\r\r\n.\r\n", "\r\r\r\r\n", true),
};

static const char *const endless[] = {"",	  ".",	    ".\r",	"a",
				      "a\r\n",	  "a\r\n.", "a\r\n.\r", "a\n.\r\n",
				      "a\r.\r\n", "..\r\n", "a.\r\n"};

/* Returns the octets of `input` that were used up to the end, 0 when there was none. */
static size_t read_body(const char *input, size_t len, size_t cut, size_t piece, struct buf *body,
			bool *bare)
{
	struct smtp_dot dot = {0};
	size_t seen = 0, at = 0, used;
	enum smtp_dot_result result = SMTP_DOT_MORE;

	while (seen < len && result != SMTP_DOT_END) {
		seen = piece ? seen + piece : seen < cut ? cut : len;
		if (seen > len)
			seen = len;
		do {
			/* Only [at, seen) may be looked at: its own memory shows when more is. */
			char *part = malloc(seen - at ? seen - at : 1);
			struct octets octets;

			memcpy(part, input + at, seen - at);
			result = smtp_dot_read(&dot, part, seen - at, &octets, &used);
			assert_true(result != SMTP_DOT_BODY || octets.len);
			if (octets.len)
				buf_append(body, octets.data, octets.len);
			at += used;
			free(part);
		} while (result == SMTP_DOT_BODY);
		if (result == SMTP_DOT_MORE)
			assert_true(seen - at <= 2);
	}
	*bare = dot.bare_newline;
	return result == SMTP_DOT_END ? at : 0;
}

static void check(size_t row, size_t cut, size_t piece)
{
	char input[256];
	struct buf body;
	bool bare;
	size_t len = ended[row].len;

	buf_init(&body, 1024);
	memcpy(input, ended[row].input, len);
	memcpy(input + len, "MAIL\r\n.\r\n", 9);
	assert_int_equal(read_body(input, len + 9, cut, piece, &body, &bare), len);
	assert_int_equal(body.len, ended[row].body_len);
	if (body.len)
		assert_memory_equal(buf_head(&body), ended[row].body, body.len);
	assert_int_equal(bare, ended[row].bare);
	buf_fini(&body);
}

static void test_every_cut(void **state)
{
	(void)state;
	for (size_t row = 0; row < sizeof ended / sizeof *ended; row++) {
		for (size_t cut = 0; cut <= ended[row].len + 9; cut++)
			check(row, cut, 0);
		for (size_t piece = 1; piece < 4; piece++)
			check(row, 0, piece);
	}
}

static void test_no_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
		for (size_t cut = 0; cut <= strlen(endless[i]); cut++) {
			struct buf body;
			bool bare;

			buf_init(&body, 1024);
			assert_int_equal(
				read_body(endless[i], strlen(endless[i]), cut, 0, &body, &bare), 0);
			buf_fini(&body);
		}
	}
}

static void count_received(const char *header, unsigned expected)
{
	size_t len = strlen(header);

	for (size_t cut = 0; cut <= len; cut++) {
		struct smtp_received whole = {0}, single = {0};

		smtp_received_scan(&whole, header, cut);
		smtp_received_scan(&whole, header + cut, len - cut);
		assert_int_equal(whole.count, expected);
		for (size_t i = 0; i < len; i++)
			smtp_received_scan(&single, header + i, 1);
		assert_int_equal(single.count, expected);
	}
}

static void test_received(void **state)
{
	(void)state;
	count_received("", 0);
	count_received("Received: x\r\n", 1);
	count_received("RECEIVED: x\r\nreceived:\r\nReceived : y\r\nReceived\t:\r\n", 4);
	count_received("Received: x\r\n Received: folded\r\n\tReceived: folded\r\n", 1);
	count_received("Receive: x\r\nReceivedx: y\r\nX-Received: z\r\nReceived x: z\r\n", 0);
	count_received("Subject: Received: x\r\nReceived: x\r\n\r\nReceived: body\r\n", 1);
	count_received("\r\nReceived: body\r\n", 0);
	count_received("Rec\r\nReceived: x\r\nReceived", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_no_end),
		cmocka_unit_test(test_received),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
