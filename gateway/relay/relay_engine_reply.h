/* relay_engine_reply: reads the replies of a server (RFC 5321 4.2), line by line.
 *
 *      250-mx.example.org\r\n  ->  LINE  "mx.example.org"
 *      250 SIZE 1000\r\n       ->  DONE  "SIZE 1000"
 *
 * Only CRLF ends a line: a server that puts a client's octets into its replies could else be made
 * to say a reply of the client's choice. */
#ifndef RELAY_RELAY_ENGINE_REPLY_H
#define RELAY_RELAY_ENGINE_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "protocol/hook.h"

/* Octets of a line without its CRLF. RFC 5321 4.5.3.1.5 has 512 with it; many servers say more. */
#define RELAY_REPLY_LINE_MAX  1000
#define RELAY_REPLY_LINES_MAX 100
#define RELAY_REPLY_TEXT_MAX  501 /* with the NUL */

/* All zero before the first line, and again before the next reply. */
struct relay_reply {
	int code; /* 200 to 599 */
	unsigned lines;
	/* The enhanced code (RFC 2034) at the front of the first line's text, when its class is
	 * that of the code; else "". */
	char status[12];
	/* First line without code and status. Printable ASCII; what is not is "?". */
	char text[RELAY_REPLY_TEXT_MAX];
};

enum relay_reply_result {
	RELAY_REPLY_MORE, /* the line is not complete */
	RELAY_REPLY_LINE, /* one that others follow */
	RELAY_REPLY_DONE, /* the last one */
	RELAY_REPLY_BAD,  /* no reply, codes that differ, too long */
};

/* Reads one line of `data`; *used octets of it are done with. After LINE and DONE, *line is its
 * text as it came, within `data`. */
enum relay_reply_result relay_reply_read(struct relay_reply *reply, const char *data, size_t len,
					 struct octets *line, size_t *used);

#endif
