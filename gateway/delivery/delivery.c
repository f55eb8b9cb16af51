#include "delivery/delivery.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "delivery/io_pool.h"
#include "delivery/maildir.h"
#include "delivery/spool.h"

struct delivery {
	struct ev_loop *loop;
	struct io_pool *pool;
	char *name;
	struct maildir *maildir; /* NULL: discard */
	size_t jobs;		 /* started and not yet freed; they use this object */
	bool freed;		 /* by its owner; the last job takes it away */
};

struct delivery_job {
	struct io_job io;
	ev_timer soon; /* never started: stands for a result that is there without waiting */
	struct delivery *delivery;
	char *transaction;
	bool quarantine;
	struct buf fields;
	struct spool_message *message;
	int error; /* errno; 0 when stored */
	char ref[sizeof((struct delivery_result *)0)->ref];
	void (*on_done)(void *arg, const struct delivery_result *result); /* NULL: abandoned */
	void *arg;
};

struct delivery *delivery_new(struct ev_loop *loop, const struct delivery_settings *settings,
			      struct io_pool *pool, char *error, size_t error_size)
{
	struct delivery *d = mem_new(sizeof *d);

	assert(settings->discard == !settings->maildir);
	assert(settings->discard || pool);
	d->loop = loop;
	d->pool = pool;
	d->name = mem_copy_string(settings->name);
	if (settings->discard)
		return d;
	d->maildir = maildir_new(settings->maildir, settings->hostname, error, error_size);
	if (!d->maildir)
		delivery_free(&d);
	return d;
}

const char *delivery_kind(const struct delivery *d)
{
	return d->maildir ? "maildir" : "discard";
}

const char *delivery_name(const struct delivery *d)
{
	return d->name;
}

static void free_if_unused(struct delivery *d)
{
	if (!d->freed || d->jobs)
		return;
	maildir_free(&d->maildir);
	free(d->name);
	free(d);
}

static void free_job(struct delivery_job *job)
{
	struct delivery *d = job->delivery;

	spool_message_free(&job->message);
	buf_fini(&job->fields);
	free(job->transaction);
	free(job);
	d->jobs--;
	free_if_unused(d);
}

static void fill_result(const struct delivery_job *job, struct delivery_result *result)
{
	bool full = job->error == ENOSPC || job->error == EDQUOT || job->error == EFBIG;

	*result = (struct delivery_result){.code = job->error ? full ? 452 : 451 : 250};
	snprintf(result->status, sizeof result->status, "%s",
		 job->error ? full ? "4.3.1" : "4.3.0" : "2.0.0");
	if (job->error)
		snprintf(result->text, sizeof result->text, "%s",
			 full ? "Insufficient system storage" : "Delivery failed, try again later");
	else
		snprintf(result->text, sizeof result->text, "OK id=%s", job->transaction);
	snprintf(result->ref, sizeof result->ref, "%s", job->ref);
}

static void finish_job(struct delivery_job *job)
{
	void (*on_done)(void *arg, const struct delivery_result *result) = job->on_done;
	struct delivery_result result;

	job->on_done = NULL;
	if (on_done) {
		fill_result(job, &result);
		on_done(job->arg, &result);
	}
	free_job(job);
}

/* In a pool thread. */
static void run_job(struct io_job *io)
{
	struct delivery_job *job = list_of(io, struct delivery_job, io);

	if (!job->error)
		job->error =
			maildir_store(job->delivery->maildir, job->transaction, job->quarantine,
				      &job->fields, job->message, job->ref, sizeof job->ref);
	spool_message_free(&job->message);
}

static void delivery_on_stored(struct io_job *io)
{
	finish_job(list_of(io, struct delivery_job, io));
}

static void delivery_on_discarded(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	finish_job(w->data);
}

static void start_maildir(struct delivery_job *job, const struct delivery_envelope *envelope)
{
	buf_init(&job->fields, SIZE_MAX);
	if (!maildir_fields(envelope, &job->fields)) {
		log_error("delivery %s: %s: envelope unfit for header lines", job->delivery->name,
			  job->transaction);
		job->error = EILSEQ;
	}
	job->io.run = run_job;
	job->io.done = delivery_on_stored;
	io_pool_submit(job->delivery->pool, &job->io);
}

static void start_discard(struct delivery_job *job)
{
	spool_message_free(&job->message);
	ev_feed_event(job->delivery->loop, &job->soon, EV_CUSTOM);
}

void delivery_start(struct delivery *d, const struct delivery_envelope *envelope,
		    struct spool_message **message,
		    void (*on_done)(void *arg, const struct delivery_result *result), void *arg,
		    struct delivery_job **job_at)
{
	struct delivery_job *job = mem_new(sizeof *job);

	job->delivery = d;
	job->transaction = mem_copy_string(envelope->transaction);
	job->quarantine = envelope->quarantine;
	job->message = *message;
	*message = NULL;
	job->on_done = on_done;
	job->arg = arg;
	ev_timer_init(&job->soon, delivery_on_discarded, 0., 0.);
	job->soon.data = job;
	d->jobs++;
	*job_at = job;
	if (d->maildir)
		start_maildir(job, envelope);
	else
		start_discard(job);
}

void delivery_abandon(struct delivery_job *job)
{
	if (!job->on_done) /* from inside its own on_done: it is freed right after */
		return;
	job->on_done = NULL;
	if (job->delivery->maildir)
		return;
	ev_clear_pending(job->delivery->loop, &job->soon);
	free_job(job);
}

void delivery_free(struct delivery **d_at)
{
	struct delivery *d = *d_at;

	if (!d)
		return;
	*d_at = NULL;
	d->freed = true;
	free_if_unused(d);
}
