/* delivery_kind: what the kinds of delivery have in common, and the functions in which they differ.
 *
 * For delivery*.c only. */
#ifndef DELIVERY_DELIVERY_KIND_H
#define DELIVERY_DELIVERY_KIND_H

#include "delivery/delivery.h"

struct delivery_kind {
	/* Fills d->own; false with a reason. close() follows in either case. */
	bool (*open)(struct delivery *d, const struct delivery_settings *settings, char *error,
		     size_t error_size);
	void (*close)(struct delivery *d);
	/* The owner wants no more of it; close() comes when no job is left. NULL: nothing to do. */
	void (*leave)(struct delivery *d);
	void (*offer)(const struct delivery *d, struct delivery_offer *offer);
	/* NULL all three: it does not ask. */
	struct delivery_transaction *(*begin)(struct delivery *d,
					      const struct hook_context *context);
	void (*recipient)(struct delivery_transaction *t, const struct hook_mailbox *recipient,
			  void (*on_result)(void *arg, const struct delivery_result *result),
			  void *arg);
	void (*end)(struct delivery_transaction *t);
	/* Makes the job with delivery_job_new(); delivery_job_done() follows, from the loop. */
	struct delivery_job *(*start)(struct delivery *d, struct delivery_transaction *t,
				      const struct delivery_envelope *envelope);
	/* The job's message is in place. */
	void (*run)(struct delivery_job *job);
	/* on_done is NULL from here on. */
	void (*abandon)(struct delivery_job *job);
	/* What the kind has put into the job. */
	void (*fini)(struct delivery_job *job);
};

struct delivery {
	const struct delivery_kind *kind;
	struct ev_loop *loop;
	struct io_pool *pool;
	struct counters_delivery *counters; /* NULL: nobody counts */
	char *name;
	const char *word; /* "maildir" */
	void *own;	  /* the kind's */
	size_t jobs;	  /* started and not yet freed; they use this object */
	bool freed;	  /* by its owner; the last job takes it away */
};

/* The first member of each kind's own job. */
struct delivery_job {
	struct delivery *delivery;
	ev_tstamp began;
	char *transaction;
	struct spool_message *message;
	void (*on_done)(void *arg, const struct delivery_result *result); /* NULL: abandoned */
	void *arg;
};

/* The first member of each kind's own transaction. */
struct delivery_transaction {
	struct delivery *delivery;
};

extern const struct delivery_kind delivery_maildir, delivery_discard, delivery_relay,
	delivery_service;

/* `size` octets, zeroed, a struct delivery_job at their begin. */
struct delivery_job *delivery_job_new(struct delivery *d, size_t size);
/* Tells the result, unless the job is abandoned, and frees it. */
void delivery_job_done(struct delivery_job *job, const struct delivery_result *result);
/* Frees it and tells nothing. */
void delivery_job_free(struct delivery_job *job);
/* 250 2.0.0 "OK id=<transaction>". */
void delivery_result_ok(struct delivery_result *result, const char *transaction);

#endif
