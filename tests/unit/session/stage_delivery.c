/* Stands in for gateway/delivery: writes down what it is called for. What it is asked is answered
 * by the test, from outside the session's calls, as the loop would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "delivery/spool.h"
#include "stage.h"

struct delivery_transaction {
	struct stage *stage;
	void (*on_result)(void *arg, const struct delivery_result *result);
	void *arg;
};

struct delivery_job {
	struct stage *stage;
	void (*on_done)(void *arg, const struct delivery_result *result);
	void *arg;
};

static void trace(struct stage *s, const char *word, struct octets octets)
{
	buf_append_string(&s->trace, word);
	buf_append(&s->trace, octets.data, octets.len);
}

const char *delivery_name(const struct delivery *d)
{
	(void)d;
	return "backend";
}

const char *delivery_kind(const struct delivery *d)
{
	(void)d;
	return "smtp";
}

bool delivery_asks(const struct delivery *d)
{
	return ((const struct stage *)(const void *)d)->asks;
}

void delivery_offer(const struct delivery *d, struct delivery_offer *offer)
{
	*offer = ((const struct stage *)(const void *)d)->offer;
}

struct delivery_transaction *delivery_begin(struct delivery *d, const struct hook_context *context)
{
	struct stage *s = (void *)d;

	assert_true(s->asks);
	assert_null(s->transaction);
	s->transaction = mem_new(sizeof *s->transaction);
	s->transaction->stage = s;
	buf_printf(&s->trace, "begin %s", context->client.ip);
	trace(s, " ", context->helo->name);
	trace(s, " ", context->mail->address);
	buf_append_string(&s->trace, "\n");
	return s->transaction;
}

void delivery_recipient(struct delivery_transaction *t, const struct hook_mailbox *recipient,
			void (*on_result)(void *arg, const struct delivery_result *result),
			void *arg)
{
	assert_null(t->on_result);
	t->on_result = on_result;
	t->arg = arg;
	trace(t->stage, "recipient ", recipient->address);
	buf_append_string(&t->stage->trace, "\n");
}

void delivery_end(struct delivery_transaction **t_at)
{
	struct delivery_transaction *t = *t_at;

	*t_at = NULL;
	if (!t)
		return;
	buf_append_string(&t->stage->trace, t->on_result ? "end of question\n" : "end\n");
	t->stage->transaction = NULL;
	free(t);
}

void stage_answer(struct stage *s, int code, const char *status, const char *text)
{
	struct delivery_transaction *t = s->transaction;
	void (*on_result)(void *arg, const struct delivery_result *result) = t->on_result;
	struct delivery_result result = {.code = code};

	assert_non_null(on_result);
	snprintf(result.status, sizeof result.status, "%s", status);
	snprintf(result.text, sizeof result.text, "%s", text);
	t->on_result = NULL;
	on_result(t->arg, &result);
}

void delivery_start(struct delivery *d, struct delivery_transaction **transaction,
		    const struct delivery_envelope *envelope, struct spool_message **message,
		    void (*on_done)(void *arg, const struct delivery_result *result), void *arg,
		    struct delivery_job **job)
{
	struct stage *s = (void *)d;

	assert_true(!*transaction == !s->asks);
	if (*transaction)
		assert_null((*transaction)->on_result);
	free(*transaction);
	*transaction = NULL;
	s->transaction = NULL;
	trace(s, "start ", envelope->sender->address);
	for (size_t i = 0; i < envelope->recipients_len; i++)
		trace(s, " ", envelope->recipients[i].address);
	buf_append_string(&s->trace, "\n");
	spool_message_free(message);
	*message = NULL;
	*job = s->job = mem_new(sizeof **job);
	*s->job = (struct delivery_job){s, on_done, arg};
}

void stage_deliver(struct stage *s, const struct delivery_result *result)
{
	struct delivery_job *job = s->job;

	s->job = NULL;
	job->on_done(job->arg, result);
	free(job);
}

void delivery_abandon(struct delivery_job *job)
{
	if (!job->stage->job) /* from inside its own on_done */
		return;
	buf_append_string(&job->stage->trace, "abandoned\n");
	job->stage->job = NULL;
	free(job);
}
