/* relay_transaction: one client's transaction with the backends.
 *
 *      recipient -> connection -> MAIL RCPT ---------------------> result
 *      send      -> [RSET, MAIL RCPT RCPT ... when they differ] -> body -> result
 *
 * What the backend has been told is forgotten when its connection is lost before the body: then the
 * whole envelope is told to another one. Once the body has begun there is no second attempt. */
#ifndef RELAY_RELAY_TRANSACTION_H
#define RELAY_RELAY_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/hook.h"

struct relay;
struct relay_transaction;

struct relay_result {
	int code; /* 2yz, 4yz, 5yz */
	char status[12];
	char text[256];
	bool unknown;	     /* the backend may have taken the message, and has not said so */
	const char *backend; /* its address, or "" */
};

/* Strings and mailboxes are copied. */
struct relay_message {
	const char *id; /* for the log */
	const struct hook_mailbox *sender;
	const struct hook_mailbox *recipients;
	size_t recipients_len;
	const char *prefix; /* header fields before the content; whole lines */
	uint64_t size;	    /* of the content */
	/* At most `size` octets of the content, from `offset` on; fewer are fine, 0 or -1 is a
	 * fault. */
	ssize_t (*read)(void *arg, uint64_t offset, char *buffer, size_t size);
};

/* The context is copied; `mail` must be known. Nothing is said before the first recipient. */
struct relay_transaction *relay_transaction_new(struct relay *r,
						const struct hook_context *context);
/* One question may be open; the mailbox is copied. on_result comes once, from the loop; it may free
 * the transaction. */
void relay_transaction_recipient(struct relay_transaction *t, const struct hook_mailbox *recipient,
				 void (*on_result)(void *arg, const struct relay_result *result),
				 void *arg);
/* on_sent comes once, from the loop, and may free the transaction. `recipients` are the results of
 * LMTP, one for each of the message's recipients in their order, when the message came so far; else
 * NULL, and `result` is that of all. Nothing else may be asked afterwards. */
void relay_transaction_send(struct relay_transaction *t, const struct relay_message *message,
			    void (*on_sent)(void *arg, const struct relay_result *result,
					    const struct relay_result *recipients,
					    size_t recipients_len),
			    void *arg);
/* Allowed at any time; nothing comes any more. A message on its way is cut off before its end, or
 * its outcome stays unknown. Sets the pointer to NULL. */
void relay_transaction_free(struct relay_transaction **t);

#endif
