/* relay_copy: copies of what the caller only lends: mailboxes, and who the client is. */
#ifndef RELAY_RELAY_COPY_H
#define RELAY_RELAY_COPY_H

#include <stdbool.h>

#include "net/address.h"
#include "protocol/hook.h"
#include "relay_engine.h"

/* The address and the parameters; free with relay_mailbox_fini(). */
void relay_mailbox_copy(struct hook_mailbox *to, const struct hook_mailbox *from);
void relay_mailbox_fini(struct hook_mailbox *mailbox);
/* The same address, octet for octet, and the same parameters in the same order. */
bool relay_mailbox_equal(const struct hook_mailbox *a, const struct hook_mailbox *b);

struct relay_client {
	struct relay_engine_client facts; /* of our own strings */
	/* For PROXY; `has_addresses` is false for a client on a Unix socket. */
	struct address client, server;
	bool has_addresses;
};

void relay_client_copy(struct relay_client *to, const struct hook_context *from);
void relay_client_fini(struct relay_client *client);
/* Both came by the same connection, as far as addresses tell. */
bool relay_client_same(const struct relay_client *a, const struct relay_client *b);

#endif
