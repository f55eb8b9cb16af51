/* delivery: where accepted messages go.
 *
 *      maildir, service, discard    delivery_start ------------------------> on_done
 *      smtp, lmtp                   delivery_begin, delivery_recipient for each RCPT,
 *                                   delivery_start ------------------------> on_done
 *
 * A delivery answers for a message: its 250 means the octets are stored (maildir), that the next
 * server has said 250 (smtp, lmtp) or a policy has taken it (service), or that the operator wants
 * none of it (discard). What kind it is stays behind this interface. */
#ifndef DELIVERY_DELIVERY_H
#define DELIVERY_DELIVERY_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/hook.h"

struct counters_delivery;
struct io_pool;
struct relay_settings;
struct spool_message;
struct delivery;
struct delivery_job;
struct delivery_transaction;

/* Exactly one of maildir (absolute path), relay (smtp or lmtp; relay/relay.h), service and discard.
 * The hostname becomes part of file names. */
struct delivery_settings {
	const char *name;
	const char *maildir;
	const struct relay_settings *relay;
	bool service; /* a policy: what it accepts is delivered */
	bool discard;
	const char *hostname;
	struct counters_delivery *counters; /* where it is counted; NULL: nowhere */
};

/* What may be offered to clients whose mail goes here. */
struct delivery_offer {
	bool eight_bit, smtputf8, dsn, chunking, binary, requiretls;
	uint64_t size;	     /* the largest message it takes; 0: no limit of its own */
	unsigned recipients; /* of one transaction; 0: no limit of its own */
};

/* What goes along with the content. Copied by delivery_start(), sender and recipients with their
 * parameters too. */
struct delivery_envelope {
	const char *transaction;
	const struct hook_mailbox *sender;
	const struct hook_mailbox *recipients;
	size_t recipients_len;
	const char *ref;      /* where the service that delivers has put it; NULL or "": nowhere */
	const char *received; /* the whole Received: field, ending in CRLF */
	bool quarantine;      /* maildir: to where nobody reads it unasked, the folder .Quarantine;
				 smtp, lmtp: with the field X-Gatepost-Quarantine: yes */
};

struct delivery_result {
	int code;
	char status[12];
	char text[256]; /* printable ASCII */
	/* Where the message is: "new/<name>" in the Maildir, ".Quarantine/new/<name>"; the address
	 * of the backend that answered for it; "" when nowhere. */
	char ref[144];
	/* The delivery cannot know whether the message was taken: the backend was lost before its
	 * answer. The code is 451 then. */
	bool unknown;
	/* lmtp with more than one recipient: the answer for each, in the envelope's order; borrowed
	 * during the call. Else NULL. */
	const struct delivery_result *recipients;
	size_t recipients_len;
};

/* A Maildir makes the directories it needs and sweeps what a crash left in them; it blocks on the
 * disk for that. smtp and lmtp make a first connection soon after. NULL with a reason in `error`.
 * All strings are copied. No pool (NULL) is needed for any other. */
struct delivery *delivery_new(struct ev_loop *loop, const struct delivery_settings *settings,
			      struct io_pool *pool, char *error, size_t error_size);
/* "maildir", "smtp", "lmtp", "service" or "discard". */
const char *delivery_kind(const struct delivery *d);
const char *delivery_name(const struct delivery *d);
/* True for smtp and lmtp: each recipient is asked of it, in a transaction. */
bool delivery_asks(const struct delivery *d);
/* As far as is known now; it may change between two calls. smtp and lmtp: what the backends last
 * said, and little while none has ever answered. */
void delivery_offer(const struct delivery *d, struct delivery_offer *offer);

/* Only where delivery_asks(). The context (who the client is, and `mail`, which must be known) is
 * copied. Does not call back; end it with delivery_end() or hand it to delivery_start(). */
struct delivery_transaction *delivery_begin(struct delivery *d, const struct hook_context *context);
/* Asks for one recipient (copied); one question may be open. on_result comes exactly once, later
 * and from the loop, unless delivery_end() comes before. The result's code is
 *
 *      2yz     the backend takes it (code, status and text are the backend's)
 *      4yz 5yz the backend's own refusal, of the recipient or of the sender
 *      451 4.4.1 "No backend available"         none answers
 *      451 4.4.2 "Connection to backend lost"
 *      451 4.3.0 "Bad answer from backend"      no reply that SMTP knows
 *      451 4.3.2 "Too many connections to the backend"
 *      550 5.7.30 when REQUIRETLS cannot be kept
 *
 * The transaction is usable after any result. */
void delivery_recipient(struct delivery_transaction *t, const struct hook_mailbox *recipient,
			void (*on_result)(void *arg, const struct delivery_result *result),
			void *arg);
/* RSET, or the client is gone: nothing comes any more. Allowed at any time, in on_result too. Sets
 * the pointer to NULL; of NULL does nothing. */
void delivery_end(struct delivery_transaction **t);

/* Takes the message and the transaction over and sets the caller's pointers to NULL. *transaction
 * is NULL for a delivery that does not ask, and not NULL, with no question open, for one that does.
 * The envelope may differ from what was asked. on_done comes exactly once, later and from the loop,
 * unless the job is abandoned. The content's memory and spool file are gone by then. *job is valid
 * until on_done returns. The result is one of
 *
 *      250 2.0.0 "OK id=<transaction>"                maildir, discard; service, given a ref
 *      452 4.3.1 "Insufficient system storage"        disk full, over quota, file too large
 *      451 4.3.0 "Delivery failed, try again later"   anything else
 *      the backend's own                              smtp, lmtp: see delivery_recipient() for ours
 *
 * After a 4yz or 5yz of a Maildir nothing of the message is left behind. The 250 of smtp and lmtp
 * is never ours: the backend has said it for all recipients.
 *
 * What a Maildir gets is one file for all recipients: Return-Path:, a Delivered-To: for each
 * recipient, the given Received:, then the content exactly as received. Every line ends in CRLF,
 * ours too. An envelope whose octets could end a header line early is answered with 451. Discard
 * drops a message for the quarantine like any other. */
void delivery_start(struct delivery *d, struct delivery_transaction **transaction,
		    const struct delivery_envelope *envelope, struct spool_message **message,
		    void (*on_done)(void *arg, const struct delivery_result *result), void *arg,
		    struct delivery_job **job);
/* The caller is gone: the job still runs to its end (its message may well be stored), on_done does
 * not come. */
void delivery_abandon(struct delivery_job *job);
/* All transactions must be ended, all jobs done or abandoned. Abandoned ones that the pool still
 * runs keep what they need alive until they are done; io_pool_free() afterwards waits for them.
 * Those of smtp and lmtp are cut. Sets the pointer to NULL. */
void delivery_free(struct delivery **d);

#endif
