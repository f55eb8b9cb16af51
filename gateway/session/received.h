/* received: the Received: field (RFC 5321 section 4.4) that the gateway puts before each message.
 */
#ifndef RECEIVED_H
#define RECEIVED_H

#include <stddef.h>

#include "base/buf.h"
#include "protocol/hook.h"

/* Appends the whole field with its CRLF. `context` as at the message hook; `date` after RFC 5322.
 * What the client said of itself is shown as far as it is harmless in a header: other octets become
 * '?'. */
void received_field(struct buf *out, const struct hook_context *context, const char *hostname,
		    const char *transaction, const char *date);

#endif
