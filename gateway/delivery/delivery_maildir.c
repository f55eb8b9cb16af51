/* Maildir: stored by a thread of the pool. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "base/list.h"
#include "delivery/delivery_kind.h"
#include "delivery/io_pool.h"
#include "delivery/maildir.h"
#include "delivery/spool.h"

/* Octets of a message that is stored together with others, which wait for it. */
#define TOGETHER_MAX 262144

struct maildir_job {
	struct delivery_job base;
	struct io_job io;
	struct maildir_letter letter;
};

/* In a pool thread. */
static void sweep(struct io_job *const *io, size_t len)
{
	const struct delivery *d = io[0]->group;

	(void)len; /* one a delivery */
	maildir_sweep(d->own);
}

static void on_swept(struct io_job *io)
{
	delivery_job_free(&list_of(io, struct maildir_job, io)->base);
}

/* What a crash left in the folders of a template, once. */
static void start_sweep(struct delivery *d)
{
	struct delivery_job *base = delivery_job_new(d, sizeof(struct maildir_job));
	struct maildir_job *job = list_of(base, struct maildir_job, base);

	job->io.run = sweep;
	job->io.group = d;
	job->io.done = on_swept;
	io_pool_submit(d->pool, &job->io);
}

static bool open_maildir(struct delivery *d, const struct delivery_settings *settings, char *error,
			 size_t error_size)
{
	assert(d->pool);
	d->word = "maildir";
	d->own = maildir_new(settings->maildir, settings->hostname, error, error_size);
	if (d->own && maildir_is_template(d->own))
		start_sweep(d);
	return d->own;
}

static void close_maildir(struct delivery *d)
{
	struct maildir *m = d->own;

	maildir_free(&m);
}

static void leave(struct delivery *d)
{
	if (d->own)
		maildir_end_sweep(d->own);
}

static void offer(const struct delivery *d, struct delivery_offer *offer)
{
	*offer = (struct delivery_offer){
		.eight_bit = true,
		.smtputf8 = true,
		.chunking = true,
		.binary = true,
		/* Each may have a folder of its own. */
		.recipients = maildir_is_template(d->own) ? MAILDIR_FOLDERS_MAX : 0,
	};
}

static void fill_result(const struct maildir_job *job, struct delivery_result *result)
{
	int error = job->letter.error;
	bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;

	if (!error) {
		delivery_result_ok(result, job->base.transaction);
		snprintf(result->ref, sizeof result->ref, "%s", job->letter.ref);
		return;
	}
	*result = (struct delivery_result){.code = full ? 452 : 451};
	snprintf(result->status, sizeof result->status, "%s", full ? "4.3.1" : "4.3.0");
	snprintf(result->text, sizeof result->text, "%s",
		 full ? "Insufficient system storage" : "Delivery failed, try again later");
}

/* In a pool thread. */
static void store(struct io_job *const *io, size_t len)
{
	struct maildir_letter *letters[IO_POOL_TOGETHER] = {0};
	const struct delivery *d = list_of(io[0], struct maildir_job, io)->base.delivery;

	for (size_t i = 0; i < len; i++)
		letters[i] = &list_of(io[i], struct maildir_job, io)->letter;
	maildir_store(d->own, letters, len);
	for (size_t i = 0; i < len; i++)
		spool_message_free(&list_of(io[i], struct maildir_job, io)->base.message);
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
	job->io.run = store;
	job->io.group = d;
	job->io.done = on_stored;
	maildir_letter_init(&job->letter, d->own, envelope,
			    NULL); /* the message comes with run() */
	return base;
}

static void run(struct delivery_job *base)
{
	struct maildir_job *job = list_of(base, struct maildir_job, base);

	job->letter.message = base->message;
	if (spool_message_size(base->message) > TOGETHER_MAX)
		job->io.group = job; /* nobody else's: it runs alone */
	io_pool_submit(base->delivery->pool, &job->io);
}

/* It runs to its end. */
static void abandon(struct delivery_job *base)
{
	(void)base;
}

static void fini(struct delivery_job *base)
{
	maildir_letter_fini(&list_of(base, struct maildir_job, base)->letter);
}

const struct delivery_kind delivery_maildir = {
	.open = open_maildir,
	.close = close_maildir,
	.leave = leave,
	.offer = offer,
	.start = start,
	.run = run,
	.abandon = abandon,
	.fini = fini,
};
