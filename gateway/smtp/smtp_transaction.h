/* smtp_transaction: the envelope of one mail transaction and its memory.
 *
 * A mailbox is one piece of memory. It is made when its command is read, and waits outside the
 * transaction for the verdict; only what was accepted is kept.
 *
 *      mailboxes    [ those of the RCPTs that were accepted, in order | those that services added ]
 *      recipients   [ the facts of those among them that shall have the message ] */
#ifndef SMTP_SMTP_TRANSACTION_H
#define SMTP_SMTP_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/hook.h"
#include "smtp_params.h"
#include "smtp_path.h"
#include "smtp_result.h"

struct smtp_mailbox {
	struct hook_mailbox facts; /* points into this same memory */
	bool discarded;		   /* a recipient that was accepted only in appearance */
	struct hook_param params[];
};

/* Copies what it needs. Free with free(). */
struct smtp_mailbox *smtp_mailbox_new(const struct smtp_path *path,
				      const struct smtp_params *params);

struct smtp_transaction {
	struct smtp_mailbox *sender; /* NULL: none has begun */
	struct smtp_mailbox **mailboxes;
	size_t mailboxes_len, mailboxes_size;
	size_t accepted; /* the first of them: what the client was told */
	struct hook_mailbox *recipients;
	size_t recipients_len, recipients_size;
	struct smtp_result *results; /* one for each of them, code 0: none; NULL: for nobody */
	unsigned tried;		     /* RCPT commands */
	bool discarded;		     /* whole, whatever its recipients are */
	bool over; /* ended; its facts can still be read until smtp_transaction_fini() */
};

bool smtp_transaction_is_open(const struct smtp_transaction *t);
/* These take the mailbox over and set the pointer to NULL. */
void smtp_transaction_begin(struct smtp_transaction *t, struct smtp_mailbox **sender);
/* The recipient of a RCPT that is accepted. */
void smtp_transaction_accept(struct smtp_transaction *t, struct smtp_mailbox **recipient);
/* One more recipient, which the client knows nothing of. No RCPT may be accepted any more. */
void smtp_transaction_add(struct smtp_transaction *t, struct smtp_mailbox **recipient);
/* Frees everything; no transaction is open then. */
void smtp_transaction_fini(struct smtp_transaction *t);

#endif
