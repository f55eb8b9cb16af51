/* smtp_transaction: the envelope of one mail transaction and its memory.
 *
 * A mailbox is one piece of memory. It is made when its command is read, and waits outside the
 * transaction for the verdict; only what was accepted is kept. */
#ifndef SMTP_SMTP_TRANSACTION_H
#define SMTP_SMTP_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/hook.h"
#include "smtp_params.h"
#include "smtp_path.h"

struct smtp_mailbox {
	struct hook_mailbox facts; /* points into this same memory */
	struct hook_param params[];
};

/* Copies what it needs. Free with free(). */
struct smtp_mailbox *smtp_mailbox_new(const struct smtp_path *path,
				      const struct smtp_params *params);

struct smtp_transaction {
	struct smtp_mailbox *sender;	 /* NULL: none has begun */
	struct smtp_mailbox **mailboxes; /* of the accepted recipients */
	struct hook_mailbox *recipients; /* their facts side by side, as the hooks want them */
	size_t recipients_len, recipients_size;
	unsigned tried; /* RCPT commands */
	bool over;	/* ended; its facts can still be read until smtp_transaction_fini() */
};

bool smtp_transaction_is_open(const struct smtp_transaction *t);
/* Both take the mailbox over and set the pointer to NULL. */
void smtp_transaction_begin(struct smtp_transaction *t, struct smtp_mailbox **sender);
void smtp_transaction_add(struct smtp_transaction *t, struct smtp_mailbox **recipient);
/* Frees everything; no transaction is open then. */
void smtp_transaction_fini(struct smtp_transaction *t);

#endif
