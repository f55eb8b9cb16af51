/* smtp_received: counts the Received: fields in the header of a message that comes in pieces, to
 * find mail loops (RFC 5321 6.3). */
#ifndef SMTP_SMTP_RECEIVED_H
#define SMTP_SMTP_RECEIVED_H

#include <stdbool.h>
#include <stddef.h>

/* All zero: before the first octet. */
struct smtp_received {
	unsigned count;
	unsigned char matched; /* octets of "received" at the front of this line */
	bool skip;	       /* this line is no Received: or is counted */
	bool cr;	       /* the line has begun with a CR: with an LF it is the empty line */
	bool over;	       /* the header has ended */
};

/* The octets that come next, in pieces of any size. */
void smtp_received_scan(struct smtp_received *r, const char *data, size_t len);

#endif
