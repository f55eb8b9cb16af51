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
/* What driver_settings() offers in the reply to EHLO, in clear and under TLS. */
#define EHLO_EXTENSIONS                                                                            \
	"250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"                    \
	"250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250-BINARYMIME\r\n"
#define EHLO_LINES  "250-mx.test\r\n" EHLO_EXTENSIONS
#define EHLO_LIMITS "250 LIMITS RCPTMAX=100 MAILMAX=100\r\n"
#define EHLO_CLEAR  EHLO_LINES "250-STARTTLS\r\n" EHLO_LIMITS
#define EHLO_SECURE EHLO_LINES "250-REQUIRETLS\r\n" EHLO_LIMITS

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
