/* Service: a policy has taken the message at its end, and said where it is. What is left is to let
 * go of ours. */
#include <stdio.h>

#include "base/list.h"
#include "delivery/delivery_kind.h"
#include "delivery/spool.h"

struct service_job {
	struct delivery_job base;
	ev_timer soon; /* never started: stands for a result that is there without waiting */
	char ref[sizeof((struct delivery_result *)0)->ref];
};

static bool open_service(struct delivery *d, const struct delivery_settings *settings, char *error,
			 size_t error_size)
{
	(void)settings;
	(void)error;
	(void)error_size;
	d->word = "service";
	return true;
}

static void close_service(struct delivery *d)
{
	(void)d;
}

static void offer(const struct delivery *d, struct delivery_offer *offer)
{
	(void)d;
	*offer = (struct delivery_offer){
		.eight_bit = true, .smtputf8 = true, .chunking = true, .binary = true};
}

static void on_taken(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct service_job *job = w->data;
	struct delivery_result result;

	(void)loop;
	(void)revents;
	/* Nobody has said that the message is anywhere: it is gone, and the client must know. */
	if (job->ref[0])
		delivery_result_ok(&result, job->base.transaction);
	else
		result = (struct delivery_result){
			.code = 451, .status = "4.3.0", .text = "Delivery failed, try again later"};
	snprintf(result.ref, sizeof result.ref, "%s", job->ref);
	delivery_job_done(&job->base, &result);
}

static struct delivery_job *start(struct delivery *d, struct delivery_transaction *t,
				  const struct delivery_envelope *envelope)
{
	struct delivery_job *base = delivery_job_new(d, sizeof(struct service_job));
	struct service_job *job = list_of(base, struct service_job, base);

	(void)t;
	if (envelope->ref)
		snprintf(job->ref, sizeof job->ref, "%s", envelope->ref);
	ev_timer_init(&job->soon, on_taken, 0., 0.);
	job->soon.data = job;
	return base;
}

static void run(struct delivery_job *base)
{
	struct service_job *job = list_of(base, struct service_job, base);

	spool_message_free(&base->message);
	ev_feed_event(base->delivery->loop, &job->soon, EV_CUSTOM);
}

static void abandon(struct delivery_job *base)
{
	struct service_job *job = list_of(base, struct service_job, base);

	ev_clear_pending(base->delivery->loop, &job->soon);
	delivery_job_free(base);
}

const struct delivery_kind delivery_service = {
	.open = open_service,
	.close = close_service,
	.offer = offer,
	.start = start,
	.run = run,
	.abandon = abandon,
};
