#include "smtp/smtp_chunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static bool begin(struct smtp_chunk *chunk, const char *argument)
{
	return smtp_chunk_begin(chunk, (struct octets){argument, strlen(argument)});
}

static void reads_the_size(void **state)
{
	static const struct {
		const char *argument;
		uint64_t size;
		bool last;
	} rows[] = {
		{"0", 0, false},
		{"0 LAST", 0, true},
		{"1", 1, false},
		{"007 last", 7, true},
		{"86000  Last", 86000, true},
		{"9223372036854775807", INT64_MAX, false},
		{"9223372036854775808 LAST", (uint64_t)INT64_MAX + 1, true},
		{"18446744073709551615", UINT64_MAX, false},
		{"00000000000000000000000000000018446744073709551615", UINT64_MAX, false},
	};
	struct smtp_chunk chunk = {.last = true};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_true(begin(&chunk, rows[i].argument));
		assert_true(chunk.left == rows[i].size);
		assert_int_equal(chunk.last, rows[i].last);
	}
}

static void refuses_what_is_no_size(void **state)
{
	static const char *const rows[] = {
		"",
		"LAST",
		"-1",
		"+1",
		"1x",
		"x1",
		"0x10",
		"1.0",
		"1,0",
		"1 LASTT",
		"1 LAS",
		"1 LAST 1",
		"1LAST",
		"1 2",
		"1\tLAST",
		"1 LAST\t",
		"1 LAST LAST",
		" ",
		"18446744073709551616",
		"99999999999999999999",
		"340282366920938463463374607431768211456",
	};
	struct smtp_chunk chunk = {0};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (begin(&chunk, rows[i]))
			fail_msg("%s", rows[i]);
	assert_false(smtp_chunk_begin(&chunk, (struct octets){0}));
	assert_false(smtp_chunk_begin(&chunk, (struct octets){"1\0", 2}));
}

/* Reads the chunks of `sizes` from `input`, which comes in pieces of `piece` octets behind the
 * first `cut`. What is left must be the "|" behind the last. */
static bool read_chunks(const char *input, const char *const *sizes, size_t cut, size_t piece,
			struct buf *body)
{
	struct smtp_chunk chunk = {0};
	size_t len = strlen(input), at = 0, come = cut < len ? cut : len;

	for (; *sizes; sizes++) {
		enum smtp_chunk_result result;
		struct octets octets;

		assert_true(begin(&chunk, *sizes));
		while ((result = smtp_chunk_read(&chunk, input + at, come - at, &octets)) !=
		       SMTP_CHUNK_END) {
			if (result == SMTP_CHUNK_BODY) {
				assert_true(octets.len && octets.data == input + at);
				buf_append(body, octets.data, octets.len);
				at += octets.len;
				continue;
			}
			assert_int_equal(at, come);
			assert_true(come < len);
			come = len - come < piece ? len : come + piece;
		}
	}
	assert_string_equal(input + at, "|");
	return chunk.bare_newline;
}

static void reads_octets(void **state)
{
	static const struct {
		const char *input;
		const char *sizes[8];
		bool bare;
	} rows[] = {
		{"|", {"0 LAST"}, false},
		{"|", {"0", "0", "0 LAST"}, false},
		{"a\r\n.\r\nb\r\n|", {"9 LAST"}, false},
		{"..\r\n.\r\n|", {"3", "4 LAST"}, false},
		{"no end|", {"6 LAST"}, false},
		{"a\r\nb\r\n|", {"2", "2", "2 LAST"}, false},
		{"a\r\n|", {"2", "0", "1", "0 LAST"}, false},
		{"a\r\n|", {"2", "1 LAST"}, false},
		{"a\r|", {"2", "0 LAST"}, true},
		{"a\r|", {"2 LAST"}, true},
		{"a\n|", {"2 LAST"}, true},
		{"\n|", {"1 LAST"}, true},
		{"a\r\nb\n|", {"5 LAST"}, true},
		{"a\r\r\n|", {"4 LAST"}, true},
		{"a\r\r\n|", {"2", "2 LAST"}, true},
		{"a\rb\r\n|", {"2", "3 LAST"}, true},
		{"\r\n\n|", {"2", "1 LAST"}, true},
		{"\r\n\r|", {"1", "1", "1 LAST"}, true},
		{"\r\n.\n\r\n|", {"6 LAST"}, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t len = strlen(rows[i].input);

		for (size_t cut = 0; cut <= len; cut++) {
			for (size_t piece = 1; piece <= len; piece++) {
				struct buf body;

				buf_init(&body, 4096);
				if (read_chunks(rows[i].input, rows[i].sizes, cut, piece, &body) !=
				    rows[i].bare)
					fail_msg("row %zu, cut %zu, pieces of %zu", i, cut, piece);
				assert_int_equal(body.len, len - 1);
				if (body.len)
					assert_memory_equal(buf_head(&body), rows[i].input,
							    body.len);
				buf_fini(&body);
			}
		}
	}
}

/* So large that a counter of 63 bits, or a sum, would wrap. */
static void counts_down_from_the_largest(void **state)
{
	struct smtp_chunk chunk = {0};
	struct octets body;
	char piece[1000] = "";

	(void)state;
	assert_true(begin(&chunk, "18446744073709551615 LAST"));
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(smtp_chunk_read(&chunk, piece, sizeof piece, &body),
				 SMTP_CHUNK_BODY);
		assert_int_equal(body.len, sizeof piece);
	}
	assert_true(chunk.left == UINT64_MAX - 1000 * sizeof piece);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_size),
		cmocka_unit_test(refuses_what_is_no_size),
		cmocka_unit_test(reads_octets),
		cmocka_unit_test(counts_down_from_the_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
