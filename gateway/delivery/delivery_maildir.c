/* Maildir: stored by a thread of the pool. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "delivery/delivery_kind.h"
#include "delivery/io_pool.h"
#include "delivery/maildir.h"
#include "delivery/spool.h"

struct maildir_job {
	struct delivery_job base;
	struct io_job io;
	bool quarantine;
	struct buf fields;
	int error; /* errno; 0 when stored */
	char ref[sizeof((struct delivery_result *)0)->ref];
};

static bool open_maildir(struct delivery *d, const struct delivery_settings *settings, char *error,
			 size_t error_size)
{
	assert(d->pool);
	d->word = "maildir";
	d->own = maildir_new(settings->maildir, settings->hostname, error, error_size);
	return d->own;
}

static void close_maildir(struct delivery *d)
{
	struct maildir *m = d->own;

	maildir_free(&m);
}

static void offer(const struct delivery *d, struct delivery_offer *offer)
{
	(void)d;
	*offer = (struct delivery_offer){
		.eight_bit = true, .smtputf8 = true, .chunking = true, .binary = true};
}

static void fill_result(const struct maildir_job *job, struct delivery_result *result)
{
	bool full = job->error == ENOSPC || job->error == EDQUOT || job->error == EFBIG;

	if (!job->error) {
		delivery_result_ok(result, job->base.transaction);
		snprintf(result->ref, sizeof result->ref, "%s", job->ref);
		return;
	}
	*result = (struct delivery_result){.code = full ? 452 : 451};
	snprintf(result->status, sizeof result->status, "%s", full ? "4.3.1" : "4.3.0");
	snprintf(result->text, sizeof result->text, "%s",
		 full ? "Insufficient system storage" : "Delivery failed, try again later");
}

/* In a pool thread. */
static void store(struct io_job *io)
{
	struct maildir_job *job = list_of(io, struct maildir_job, io);
	struct delivery_job *base = &job->base;

	if (!job->error)
		job->error = maildir_store(base->delivery->own, base->transaction, job->quarantine,
					   &job->fields, base->message, job->ref, sizeof job->ref);
	spool_message_free(&base->message);
}

static void on_stored(struct io_job *io)
{
	struct maildir_job *job = list_of(io, struct maildir_job, io);
	struct delivery_result result;

	fill_result(job, &result);
	delivery_job_done(&job->base, &result);
}

static struct delivery_job *start(struct delivery *d, struct delivery_transaction *t,
				  const struct delivery_envelope *envelope)
{
	struct delivery_job *base = delivery_job_new(d, sizeof(struct maildir_job));
	struct maildir_job *job = list_of(base, struct maildir_job, base);

	(void)t;
	job->quarantine = envelope->quarantine;
	job->io.run = store;
	job->io.done = on_stored;
	buf_init(&job->fields, SIZE_MAX);
	if (!maildir_fields(envelope, &job->fields)) {
		log_error("delivery %s: %s: envelope unfit for header lines", d->name,
			  envelope->transaction);
		job->error = EILSEQ;
	}
	return base;
}

static void run(struct delivery_job *base)
{
	io_pool_submit(base->delivery->pool, &list_of(base, struct maildir_job, base)->io);
}

/* It runs to its end. */
static void abandon(struct delivery_job *base)
{
	(void)base;
}

static void fini(struct delivery_job *base)
{
	buf_fini(&list_of(base, struct maildir_job, base)->fields);
}

const struct delivery_kind delivery_maildir = {
	.open = open_maildir,
	.close = close_maildir,
	.offer = offer,
	.start = start,
	.run = run,
	.abandon = abandon,
	.fini = fini,
};
