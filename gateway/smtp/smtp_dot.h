/* smtp_dot: finds the end of a message and removes the dots that the client put in (RFC
 * 5321 4.5.2).
 *
 *      ..a\r\nb\r\n.\r\n   ->   ".a\r\nb\r\n", end
 *
 * Nothing is copied: each call names the next octets of the message where they lie. The end is
 * ".CRLF" at the front of a line, and only CRLF ends a line. No other form ends a message, since
 * servers that differ on this can be made to take a part of one message for another (SMTP
 * smuggling, CVE-2023-51764). */
#ifndef SMTP_SMTP_DOT_H
#define SMTP_SMTP_DOT_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/hook.h"

/* All zero: right after the 354 reply. */
struct smtp_dot {
	bool in_line;	   /* the next octet is not the first of its line */
	bool bare_newline; /* a CR or LF that is no CRLF was seen */
};

enum smtp_dot_result { SMTP_DOT_MORE, SMTP_DOT_BODY, SMTP_DOT_END };

/* SMTP_DOT_BODY: *body are octets of the message within `data`, at least one. SMTP_DOT_END: the
 * message is over. SMTP_DOT_MORE: nothing can be told without more. The first *used octets are done
 * with; at most two stay unused when all else is, so a caller with room for three never stops. */
enum smtp_dot_result smtp_dot_read(struct smtp_dot *dot, const char *data, size_t len,
				   struct octets *body, size_t *used);

#endif
