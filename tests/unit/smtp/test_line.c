#include "smtp/smtp_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "smtp/smtp.h"

#define LONGEST (SMTP_LINE_MAX - 2)

static const char *const faults[] = {
	[SMTP_LINE_GOOD] = "good",	     [SMTP_LINE_TOO_LONG] = "long",
	[SMTP_LINE_BARE_NEWLINE] = "bare",   [SMTP_LINE_CONTROL] = "control",
	[SMTP_LINE_EIGHT_BIT] = "eight-bit",
};

/* Reads all lines of `in` and notes them as "fault(text) ". */
static void read_lines(struct smtp_line *line, struct buf *in, struct buf *out)
{
	size_t used;
	bool whole;

	do {
		whole = smtp_line_read(line, buf_head(in), in->len, SMTP_LINE_MAX, &used);
		buf_consume(in, used);
		if (whole) {
			buf_printf(out, "%s(", faults[line->fault]);
			buf_append(out, line->text, line->len);
			buf_append_string(out, ") ");
			assert_int_equal(line->text[line->len], 0);
			smtp_line_fini(line);
		}
	} while (whole);
	assert_true(in->len < SMTP_LINE_MAX);
}

/* The input in pieces: [0, cut) and the rest, or of `piece` octets. */
static void check(const char *input, size_t len, size_t cut, size_t piece, const char *expected,
		  size_t expected_len)
{
	struct smtp_line line = {0};
	struct buf in, out;

	buf_init(&in, SMTP_IN_MAX);
	buf_init(&out, 1 << 20);
	for (size_t at = 0; at < len;) {
		size_t n = piece ? piece : at < cut ? cut - at : len - at;

		if (n > len - at)
			n = len - at;
		if (n > buf_room(&in))
			n = buf_room(&in);
		assert_int_not_equal(n, 0);
		buf_append(&in, input + at, n);
		read_lines(&line, &in, &out);
		at += n;
	}
	assert_int_equal(out.len, expected_len);
	if (out.len)
		assert_memory_equal(buf_head(&out), expected, out.len);
	smtp_line_fini(&line);
	buf_fini(&in);
	buf_fini(&out);
}

static void check_all_cuts(const char *input, size_t len, const char *expected, size_t expected_len)
{
	for (size_t cut = 0; cut <= len; cut++)
		check(input, len, cut, 0, expected, expected_len);
	for (size_t piece = 1; piece < 4; piece++)
		check(input, len, 0, piece, expected, expected_len);
}

static void test_table(void **state)
{
#define ROW(input, expected)                                                                       \
	{                                                                                          \
		input, sizeof input - 1, expected, sizeof expected - 1                             \
	}
	static const struct {
		const char *input;
		size_t len;
		const char *expected;
		size_t expected_len;
	} table[] = {
		ROW("", ""),
		ROW("\r\n", "good() "),
		ROW("EHLO a\r\nNOOP\r\n", "good(EHLO a) good(NOOP) "),
		ROW("EHLO a\r\nNO", "good(EHLO a) "),
		ROW("EHLO a\r", ""),
		ROW("a\nb\r\n", "bare(a\nb) "),
		ROW("a\rb\r\n", "bare(a\rb) "),
		ROW("a\r\r\n", "bare(a\r) "),
		ROW("\n\r\n", "bare(\n) "),
		ROW("a\n\nb", ""),
		ROW("\r\n\r\n", "good() good() "),
		ROW("a\tb\r\n", "control(a\tb) "),
		ROW("a\0b\r\n", "control(a\0b) "),
		ROW("a\x7f\r\n", "control(a\x7f) "),
		ROW("\xc3\xbc\r\n", "eight-bit(\xc3\xbc) "),
		ROW("\xff\0\r\n", "control(\xff\0) "),
		ROW("\x01\xff\n\r\n", "bare(\x01\xff\n) "),
	};
#undef ROW

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		check_all_cuts(table[i].input, table[i].len, table[i].expected,
			       table[i].expected_len);
}

/* Around the limit, and far behind it: the tail is never read as a command. */
static void test_long(void **state)
{
	static const size_t lengths[] = {LONGEST - 1, LONGEST,	   LONGEST + 1, LONGEST + 2,
					 LONGEST + 3, 3 * LONGEST, 70000};
	static const char tail[] = "\rQUIT\nQUIT\r\nNOOP\r\n";

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		size_t n = lengths[i];
		char *input = malloc(n + sizeof tail);
		char *plain = malloc(n + sizeof tail);
		char *expected = malloc(LONGEST + 64);
		int len = snprintf(expected, LONGEST + 64, "long(%0*d) good(NOOP) ", LONGEST, 0);

		memset(input, '0', n);
		memcpy(plain, input, n);
		memcpy(input + n, tail, sizeof tail - 1);
		for (size_t cut = n < 10000 ? 0 : n - 2; cut < n + sizeof tail; cut++)
			if (n >= LONGEST)
				check(input, n + sizeof tail - 1, cut, 0, expected, (size_t)len);
		memcpy(plain + n, "\r\nNOOP\r\n", 8);
		if (n <= LONGEST)
			len = snprintf(expected, LONGEST + 64, "good(%0*d) good(NOOP) ", (int)n, 0);
		for (size_t cut = n < 10000 ? 0 : n - 2; cut < n + 8; cut++)
			check(plain, n + 8, cut, 0, expected, (size_t)len);
		for (size_t piece = 1; piece < 3; piece++)
			check(plain, n + 8, 0, piece, expected, (size_t)len);
		free(input);
		free(plain);
		free(expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
