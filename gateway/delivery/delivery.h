/* delivery: where accepted messages go.
 *
 * A delivery answers for a message: its 250 means the octets are stored (maildir) or that the
 * operator wants none of them (discard). What kind it is stays behind this interface. */
#ifndef DELIVERY_DELIVERY_H
#define DELIVERY_DELIVERY_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

struct io_pool;
struct spool_message;
struct delivery;
struct delivery_job;

/* Exactly one of maildir (absolute path) and discard. The hostname becomes part of file names. */
struct delivery_settings {
	const char *name;
	const char *maildir;
	bool discard;
	const char *hostname;
};

/* What goes along with the content. Copied by delivery_start(). */
struct delivery_envelope {
	const char *transaction;
	const char *reverse_path; /* without angle brackets; "" for the null path */
	const char *const *recipients;
	size_t recipients_len;
	const char *received; /* the whole Received: field, ending in CRLF */
	bool quarantine;      /* to where nobody reads it unasked: the folder .Quarantine */
};

struct delivery_result {
	int code;
	char status[12];
	char text[128];
	/* Where the message is: "new/<name>" in the Maildir, ".Quarantine/new/<name>"; "" when
	 * nowhere. */
	char ref[144];
};

/* Makes the directories it needs and sweeps what a crash left in them; it blocks on the disk for
 * that. NULL with a reason in `error`. All strings are copied. No pool (NULL) is needed for
 * discard. */
struct delivery *delivery_new(struct ev_loop *loop, const struct delivery_settings *settings,
			      struct io_pool *pool, char *error, size_t error_size);
/* "maildir" or "discard". */
const char *delivery_kind(const struct delivery *d);
const char *delivery_name(const struct delivery *d);
/* Takes the message over and sets the caller's pointer to NULL. on_done comes exactly once, later
 * and from the loop, unless the job is abandoned. The content's memory and spool file are gone by
 * then. The result is one of
 *
 *      250 2.0.0 "OK id=<transaction>"
 *      452 4.3.1 "Insufficient system storage"        disk full, over quota, file too large
 *      451 4.3.0 "Delivery failed, try again later"   anything else
 *
 * and after 451 or 452 nothing of the message is left behind. *job is valid until on_done returns.
 *
 * What a Maildir gets is one file for all recipients: Return-Path:, a Delivered-To: for each
 * recipient, the given Received:, then the content exactly as received. Every line ends in CRLF,
 * ours too. An envelope whose octets could end a header line early is answered with 451. Discard
 * drops a message for the quarantine like any other. */
void delivery_start(struct delivery *d, const struct delivery_envelope *envelope,
		    struct spool_message **message,
		    void (*on_done)(void *arg, const struct delivery_result *result), void *arg,
		    struct delivery_job **job);
/* The caller is gone: the job still runs to its end (its message may well be stored), on_done does
 * not come. */
void delivery_abandon(struct delivery_job *job);
/* All jobs must be done or abandoned. Abandoned ones that the pool still runs keep what they need
 * alive until they are done; io_pool_free() afterwards waits for them. Sets the pointer to NULL. */
void delivery_free(struct delivery **d);

#endif
