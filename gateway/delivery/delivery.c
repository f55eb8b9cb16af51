#include "delivery/delivery.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "delivery/delivery_kind.h"
#include "delivery/spool.h"
#include "shared/counters.h"

static const struct delivery_kind *kind_of(const struct delivery_settings *settings)
{
	if (settings->maildir)
		return &delivery_maildir;
	if (settings->relay)
		return &delivery_relay;
	return settings->service ? &delivery_service : &delivery_discard;
}

struct delivery *delivery_new(struct ev_loop *loop, const struct delivery_settings *settings,
			      struct io_pool *pool, char *error, size_t error_size)
{
	struct delivery *d = mem_new(sizeof *d);

	assert(!settings->maildir + !settings->relay + !settings->service + !settings->discard ==
	       3);
	d->kind = kind_of(settings);
	d->loop = loop;
	d->pool = pool;
	d->counters = settings->counters;
	d->name = mem_copy_string(settings->name);
	if (!d->kind->open(d, settings, error, error_size))
		delivery_free(&d);
	return d;
}

const char *delivery_kind(const struct delivery *d)
{
	return d->word;
}

const char *delivery_name(const struct delivery *d)
{
	return d->name;
}

bool delivery_asks(const struct delivery *d)
{
	return d->kind->begin;
}

void delivery_offer(const struct delivery *d, struct delivery_offer *offer)
{
	d->kind->offer(d, offer);
}

struct delivery_transaction *delivery_begin(struct delivery *d, const struct hook_context *context)
{
	struct delivery_transaction *t = d->kind->begin(d, context);

	t->delivery = d;
	return t;
}

void delivery_recipient(struct delivery_transaction *t, const struct hook_mailbox *recipient,
			void (*on_result)(void *arg, const struct delivery_result *result),
			void *arg)
{
	t->delivery->kind->recipient(t, recipient, on_result, arg);
}

void delivery_end(struct delivery_transaction **t_at)
{
	struct delivery_transaction *t = *t_at;

	if (!t)
		return;
	*t_at = NULL;
	t->delivery->kind->end(t);
}

void delivery_result_ok(struct delivery_result *result, const char *transaction)
{
	*result = (struct delivery_result){.code = 250, .status = "2.0.0"};
	snprintf(result->text, sizeof result->text, "OK id=%s", transaction);
}

static void free_if_unused(struct delivery *d)
{
	if (!d->freed || d->jobs)
		return;
	d->kind->close(d);
	free(d->name);
	free(d);
}

struct delivery_job *delivery_job_new(struct delivery *d, size_t size)
{
	struct delivery_job *job = mem_new(size);

	job->delivery = d;
	d->jobs++;
	return job;
}

void delivery_job_free(struct delivery_job *job)
{
	struct delivery *d = job->delivery;

	if (job->counted)
		counter_take(&d->counters->running, 1);
	if (d->kind->fini)
		d->kind->fini(job);
	spool_message_free(&job->message);
	free(job->transaction);
	free(job);
	d->jobs--;
	free_if_unused(d);
}

static void count_result(const struct delivery_job *job, const struct delivery_result *result)
{
	struct delivery *d = job->delivery;
	int class = result->code / 100 - 2;

	if (!job->counted || class < 0 || class >= COUNTERS_CLASSES)
		return;
	counter_add(&d->counters->results[class], 1);
	counters_latency_add(&d->counters->latency, ev_now(d->loop) - job->began);
}

void delivery_job_done(struct delivery_job *job, const struct delivery_result *result)
{
	void (*on_done)(void *arg, const struct delivery_result *result) = job->on_done;

	count_result(job, result);
	spool_message_free(&job->message);
	job->on_done = NULL;
	if (on_done)
		on_done(job->arg, result);
	delivery_job_free(job);
}

void delivery_start(struct delivery *d, struct delivery_transaction **transaction,
		    const struct delivery_envelope *envelope, struct spool_message **message,
		    void (*on_done)(void *arg, const struct delivery_result *result), void *arg,
		    struct delivery_job **job_at)
{
	struct delivery_job *job;

	assert(delivery_asks(d) == (*transaction != NULL));
	job = d->kind->start(d, *transaction, envelope);
	*transaction = NULL;
	job->transaction = mem_copy_string(envelope->transaction);
	job->message = *message;
	*message = NULL;
	job->on_done = on_done;
	job->arg = arg;
	job->began = ev_now(d->loop);
	job->counted = d->counters != NULL;
	if (job->counted)
		counter_add(&d->counters->running, 1);
	*job_at = job;
	d->kind->run(job);
}

void delivery_abandon(struct delivery_job *job)
{
	if (!job->on_done) /* from inside its own on_done: it is freed right after */
		return;
	job->on_done = NULL;
	job->delivery->kind->abandon(job);
}

void delivery_free(struct delivery **d_at)
{
	struct delivery *d = *d_at;

	if (!d)
		return;
	*d_at = NULL;
	d->freed = true;
	if (d->kind->leave) {
		d->jobs++; /* for as long as this may end the last job */
		d->kind->leave(d);
		d->jobs--;
	}
	free_if_unused(d);
}
