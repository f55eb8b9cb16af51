/* smtp and lmtp: passed on to the next server, whose answer is ours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "delivery/delivery_kind.h"
#include "delivery/spool.h"
#include "relay/relay.h"
#include "relay/relay_transaction.h"

#define PREFIX_MAX     65536
#define HELD_FOR_JUDGE "X-Gatepost-Quarantine: yes\r\n"

struct relay_delivery {
	struct relay *relay;
	struct list jobs; /* those that are not done */
};

struct asked_transaction {
	struct delivery_transaction base;
	struct relay_transaction *transaction;
	void (*on_result)(void *arg, const struct delivery_result *result);
	void *arg;
};

struct relay_job {
	struct delivery_job base;
	struct list link;
	struct relay_transaction *transaction;
	struct buf prefix;
	struct delivery_envelope envelope; /* valid until run() */
};

static bool open_relay(struct delivery *d, const struct delivery_settings *settings, char *error,
		       size_t error_size)
{
	struct relay_delivery *own = mem_new(sizeof *own);

	d->own = own;
	d->word = settings->relay->lmtp ? "lmtp" : "smtp";
	list_init(&own->jobs);
	own->relay = relay_new(d->loop, settings->relay, error, error_size);
	return own->relay;
}

static void close_relay(struct delivery *d)
{
	struct relay_delivery *own = d->own;

	relay_free(&own->relay);
	free(own);
}

static void offer(const struct delivery *d, struct delivery_offer *offer)
{
	const struct relay_delivery *own = d->own;
	struct relay_offer from;

	relay_offer(own->relay, &from);
	*offer = (struct delivery_offer){
		.eight_bit = from.eight_bit,
		.smtputf8 = from.smtputf8,
		.dsn = from.dsn,
		.chunking = true, /* it says DATA to a backend that has none */
		.binary = from.binary,
		.requiretls = from.requiretls,
		.size = from.size,
		.recipients = from.recipients,
	};
}

static void translate(struct delivery_result *to, const struct relay_result *from)
{
	*to = (struct delivery_result){.code = from->code, .unknown = from->unknown};
	memcpy(to->status, from->status, sizeof to->status);
	memcpy(to->text, from->text, sizeof to->text);
	snprintf(to->ref, sizeof to->ref, "%s", from->code < 300 ? from->backend : "");
}

/* --- recipients --- */

static struct delivery_transaction *begin(struct delivery *d, const struct hook_context *context)
{
	struct relay_delivery *own = d->own;
	struct asked_transaction *t = mem_new(sizeof *t);

	t->transaction = relay_transaction_new(own->relay, context);
	return &t->base;
}

static void on_recipient(void *arg, const struct relay_result *from)
{
	struct asked_transaction *t = arg;
	struct delivery_result result;

	translate(&result, from);
	result.ref[0] = '\0'; /* nothing is there yet */
	t->on_result(t->arg, &result);
}

static void recipient(struct delivery_transaction *base, const struct hook_mailbox *mailbox,
		      void (*on_result)(void *arg, const struct delivery_result *result), void *arg)
{
	struct asked_transaction *t = list_of(base, struct asked_transaction, base);

	t->on_result = on_result;
	t->arg = arg;
	relay_transaction_recipient(t->transaction, mailbox, on_recipient, t);
}

static void end(struct delivery_transaction *base)
{
	struct asked_transaction *t = list_of(base, struct asked_transaction, base);

	relay_transaction_free(&t->transaction);
	free(t);
}

/* --- the message --- */

static struct delivery_job *start(struct delivery *d, struct delivery_transaction *base,
				  const struct delivery_envelope *envelope)
{
	struct asked_transaction *t = list_of(base, struct asked_transaction, base);
	struct delivery_job *base_job = delivery_job_new(d, sizeof(struct relay_job));
	struct relay_job *job = list_of(base_job, struct relay_job, base);

	list_append(&((struct relay_delivery *)d->own)->jobs, &job->link);
	job->transaction = t->transaction;
	free(t);
	job->envelope = *envelope;
	buf_init(&job->prefix, PREFIX_MAX);
	buf_append_string(&job->prefix, envelope->received);
	if (envelope->quarantine)
		buf_append_string(&job->prefix, HELD_FOR_JUDGE);
	buf_append(&job->prefix, "", 1);
	return base_job;
}

static ssize_t read_content(void *arg, uint64_t offset, char *buffer, size_t size)
{
	const struct relay_job *job = arg;

	return spool_message_read(job->base.message, offset, buffer, size);
}

static void on_sent(void *arg, const struct relay_result *from,
		    const struct relay_result *recipients, size_t recipients_len)
{
	struct relay_job *job = arg;
	struct delivery_result result, *each = NULL;

	list_remove(&job->link); /* whoever is told may free the delivery */
	translate(&result, from);
	if (recipients_len > 1) {
		each = mem_new(recipients_len * sizeof *each);
		for (size_t i = 0; i < recipients_len; i++)
			translate(&each[i], &recipients[i]);
		result.recipients = each;
		result.recipients_len = recipients_len;
	}
	delivery_job_done(&job->base, &result);
	free(each);
}

static void run(struct delivery_job *base)
{
	struct relay_job *job = list_of(base, struct relay_job, base);
	struct relay_message message = {
		.id = base->transaction,
		.sender = job->envelope.sender,
		.recipients = job->envelope.recipients,
		.recipients_len = job->envelope.recipients_len,
		.prefix = buf_head(&job->prefix),
		.size = spool_message_size(base->message),
		.read = read_content,
	};

	relay_transaction_send(job->transaction, &message, on_sent, job);
	job->envelope = (struct delivery_envelope){.transaction = NULL};
}

/* It runs to its end, unless leave() comes before. */
static void abandon(struct delivery_job *base)
{
	(void)base;
}

/* The loop will not turn for those who are left. */
static void leave(struct delivery *d)
{
	struct relay_delivery *own = d->own;

	while (own && !list_empty(&own->jobs))
		delivery_job_free(&list_of(own->jobs.next, struct relay_job, link)->base);
}

static void fini(struct delivery_job *base)
{
	struct relay_job *job = list_of(base, struct relay_job, base);

	list_remove(&job->link);
	relay_transaction_free(&job->transaction);
	buf_fini(&job->prefix);
}

const struct delivery_kind delivery_relay = {
	.open = open_relay,
	.close = close_relay,
	.leave = leave,
	.offer = offer,
	.begin = begin,
	.recipient = recipient,
	.end = end,
	.start = start,
	.run = run,
	.abandon = abandon,
	.fini = fini,
};
