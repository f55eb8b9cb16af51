#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

static void same(const char *what, struct buf *got, const char *wanted, size_t cut, size_t piece)
{
	if (wanted && strcmp(driver_text(got), wanted))
		fail_msg("%s (cut %zd, pieces of %zu):\n%s\n--- expected:\n%s", what, (ssize_t)cut,
			 piece, driver_text(got), wanted);
}

static void compare(const struct driver_script *script, struct driver *whole, size_t cut,
		    size_t piece)
{
	struct driver d;

	driver_init(&d, script);
	driver_run(&d, cut, piece);
	same("output", &d.output, driver_text(&whole->output), cut, piece);
	same("trace", &d.trace, driver_text(&whole->trace), cut, piece);
	assert_int_equal(d.messages.len, whole->messages.len);
	if (d.messages.len)
		assert_memory_equal(buf_head(&d.messages), buf_head(&whole->messages),
				    d.messages.len);
	driver_fini(&d);
}

void expect(const struct driver_script *script, struct expected expected)
{
	struct driver whole;

	driver_init(&whole, script);
	driver_run(&whole, SIZE_MAX, 0);
	same("output", &whole.output, expected.output, SIZE_MAX, 0);
	same("trace", &whole.trace, expected.trace, SIZE_MAX, 0);
	same("messages", &whole.messages, expected.messages, SIZE_MAX, 0);
	for (size_t cut = 1; cut < script->input_len + script->secure_len; cut++)
		compare(script, &whole, cut, 0);
	for (size_t piece = 1; piece < 5; piece++)
		compare(script, &whole, 0, piece);
	driver_fini(&whole);
}

void expect_replies(const char *lines, const char *replies)
{
	char input[4096], output[4096];
	struct driver_script script = {.input = input};

	script.input_len = (size_t)snprintf(input, sizeof input, "EHLO c\r\n%s", lines);
	snprintf(output, sizeof output, "220 mx.test ESMTP\r\n" EHLO_CLEAR "%s", replies);
	expect(&script, (struct expected){.output = output});
}
