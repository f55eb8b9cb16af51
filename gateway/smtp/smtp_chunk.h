/* smtp_chunk: reads the chunks of a message (RFC 3030).
 *
 *      BDAT 5\r\na\r\nb\rBDAT 3 LAST\r\n\nc.   ->   "a\r\nb\r", "\nc."
 *
 * A chunk is as many octets as its command has said, whatever they are: no octet ends it, and none
 * is added or taken away. Nothing is copied: each call names the next octets where they lie. */
#ifndef SMTP_SMTP_CHUNK_H
#define SMTP_SMTP_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/hook.h"

/* All zero: before the first chunk of a message. */
struct smtp_chunk {
	uint64_t left;	   /* octets of this chunk that have not come */
	bool last;	   /* it ends the message */
	bool cr;	   /* the octet before, perhaps of another chunk, is a CR */
	bool bare_newline; /* a CR or LF that is no CRLF was seen; at the end also a CR alone */
};

enum smtp_chunk_result { SMTP_CHUNK_MORE, SMTP_CHUNK_BODY, SMTP_CHUNK_END };

/* Reads the argument of BDAT: a number of octets below 2^64, and LAST or nothing. False: it is not
 * that, nobody knows how many octets follow, and nothing has changed. The last two fields stay:
 * they are the message's. */
bool smtp_chunk_begin(struct smtp_chunk *chunk, struct octets argument);
/* SMTP_CHUNK_BODY: *body are octets of the chunk at the front of `data`, at least one.
 * SMTP_CHUNK_END: the chunk is over; what is in `data` is the next command. SMTP_CHUNK_MORE: there
 * is nothing in `data`. */
enum smtp_chunk_result smtp_chunk_read(struct smtp_chunk *chunk, const char *data, size_t len,
				       struct octets *body);

#endif
