/* received: the Received: field (RFC 5321 section 4.4) that the gateway puts before each message.
 */
#ifndef RECEIVED_H
#define RECEIVED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "protocol/hook.h"

/* Appends the whole field with its CRLF. `context` as at the message hook; `date` after RFC 5322.
 * What the client said of itself is shown as far as it is harmless in a header: other octets become
 * '?'. Without `client` neither its name nor its address is shown. */
void received_field(struct buf *out, const struct hook_context *context, bool client,
		    const char *hostname, const char *transaction, const char *date);

#endif
