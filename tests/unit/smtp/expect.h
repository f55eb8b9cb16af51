/* expect: runs a script at every cut of its input and compares what came out. */
#ifndef EXPECT_H
#define EXPECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "driver.h"

#define SCRIPT(text) .input = (text), .input_len = sizeof(text) - 1
#define SECURE(text) .secure = (text), .secure_len = sizeof(text) - 1

/* NULL: not compared with anything but the other cuts. */
struct expected {
	const char *output;   /* what the client sees */
	const char *trace;    /* questions and replies; see driver.c */
	const char *messages; /* "#" after each */
};

/* Whole, cut once at every place, and in pieces of 1 to 4 octets. */
void expect(const struct driver_script *script, struct expected expected);
/* The replies to the lines behind EHLO, without the banner and the EHLO reply. */
void expect_replies(const char *lines, const char *replies);

#endif
