/* What the delivery says: of a recipient, of a message, of a message for one of its recipients. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "smtp_engine.h"
#include "smtp_reply.h"

/* --- a recipient --- */

enum smtp_step smtp_delivery_ask_recipient(struct smtp *s)
{
	s->wait = SMTP_WAIT_RECIPIENT;
	s->answered = false;
	return SMTP_NEED_RECIPIENT;
}

void smtp_recipient(struct smtp *s, int code, const char *status, const char *text)
{
	assert(s->wait == SMTP_WAIT_RECIPIENT && !s->answered);
	smtp_result_set(&s->delivered, code, status, text);
	s->answered = true;
}

/* A refusal is no fault of the client: it may well send to a list that has grown old. */
enum smtp_step smtp_delivery_on_recipient(struct smtp *s)
{
	const struct smtp_result *result = &s->delivered;

	s->wait = SMTP_WAIT_NOTHING;
	if (result->code < 300)
		return smtp_envelope_take_recipient(s, result->code, result->status, result->text);
	s->reply.by_delivery = true;
	return smtp_reply_send(s, result->code, result->status, result->text);
}

/* --- a message --- */

enum smtp_step smtp_delivery_ask(struct smtp *s)
{
	s->wait = SMTP_WAIT_DELIVERY;
	s->answered = false;
	return SMTP_NEED_DELIVERY;
}

void smtp_delivered_recipient(struct smtp *s, size_t i, int code, const char *status,
			      const char *text)
{
	struct smtp_transaction *t = &s->transaction;

	assert(s->wait == SMTP_WAIT_DELIVERY && !s->answered);
	assert(s->settings->lmtp && i < t->recipients_len);
	if (!t->results)
		t->results = mem_new(t->recipients_len * sizeof *t->results);
	smtp_result_set(&t->results[i], code, status, text);
}

void smtp_delivered(struct smtp *s, int code, const char *status, const char *text)
{
	assert(s->wait == SMTP_WAIT_DELIVERY && !s->answered);
	smtp_result_set(&s->delivered, code, status, text);
	s->answered = true;
}

/* A service's own words stand before the delivery's, when that has accepted. */
static void take_words(const struct smtp *s, struct smtp_result *result)
{
	const struct verdict *v = s->verdict;
	int code = verdict_code(v, HOOK_MESSAGE);
	const char *status = verdict_status(v, HOOK_MESSAGE);
	struct smtp_result own = {0};

	if (!result->code || result->code >= 300)
		return;
	smtp_result_set(&own, code ? code : result->code, status[0] ? status : result->status,
			v->text ? v->text : result->text);
	smtp_result_fini(result);
	*result = own;
}

/* Whether anybody gets the message. */
static bool is_accepted(const struct smtp *s)
{
	const struct smtp_transaction *t = &s->transaction;

	if (s->delivered.code < 300)
		return true;
	for (size_t i = 0; t->results && i < t->recipients_len; i++)
		if (t->results[i].code && t->results[i].code < 300)
			return true;
	return false;
}

enum smtp_step smtp_delivery_on_delivered(struct smtp *s)
{
	struct smtp_transaction *t = &s->transaction;
	struct smtp_result *result = &s->delivered;

	s->wait = SMTP_WAIT_NOTHING;
	if (is_accepted(s)) {
		s->messages++;
		/* A list with some dead addresses is no attack, as long as mail comes of it. */
		s->forgiven = s->errors;
	}
	take_words(s, result);
	for (size_t i = 0; t->results && i < t->recipients_len; i++)
		take_words(s, &t->results[i]);
	s->reply.discarded = result->code < 300 && smtp_is_discarded(s);
	smtp_end_transaction(s);
	return smtp_reply_send(s, result->code, result->status, result->text);
}

bool smtp_is_discarded(const struct smtp *s)
{
	const struct smtp_transaction *t = &s->transaction;

	return t->discarded || (t->accepted && !t->recipients_len);
}
