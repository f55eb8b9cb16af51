/* Discard: nothing is kept. */
#include "base/list.h"
#include "delivery/delivery_kind.h"
#include "delivery/spool.h"

struct discard_job {
	struct delivery_job base;
	ev_timer soon; /* never started: stands for a result that is there without waiting */
};

static bool open_discard(struct delivery *d, const struct delivery_settings *settings, char *error,
			 size_t error_size)
{
	(void)settings;
	(void)error;
	(void)error_size;
	d->word = "discard";
	return true;
}

static void close_discard(struct delivery *d)
{
	(void)d;
}

static void offer(const struct delivery *d, struct delivery_offer *offer)
{
	(void)d;
	*offer = (struct delivery_offer){
		.eight_bit = true, .smtputf8 = true, .chunking = true, .binary = true};
}

static void on_discarded(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct delivery_job *job = w->data;
	struct delivery_result result;

	(void)loop;
	(void)revents;
	delivery_result_ok(&result, job->transaction);
	delivery_job_done(job, &result);
}

static struct delivery_job *start(struct delivery *d, struct delivery_transaction *t,
				  const struct delivery_envelope *envelope)
{
	struct delivery_job *base = delivery_job_new(d, sizeof(struct discard_job));
	struct discard_job *job = list_of(base, struct discard_job, base);

	(void)t;
	(void)envelope;
	ev_timer_init(&job->soon, on_discarded, 0., 0.);
	job->soon.data = base;
	return base;
}

static void run(struct delivery_job *base)
{
	struct discard_job *job = list_of(base, struct discard_job, base);

	spool_message_free(&base->message);
	ev_feed_event(base->delivery->loop, &job->soon, EV_CUSTOM);
}

static void abandon(struct delivery_job *base)
{
	struct discard_job *job = list_of(base, struct discard_job, base);

	ev_clear_pending(base->delivery->loop, &job->soon);
	delivery_job_free(base);
}

const struct delivery_kind delivery_discard = {
	.open = open_discard,
	.close = close_discard,
	.offer = offer,
	.start = start,
	.run = run,
	.abandon = abandon,
};
