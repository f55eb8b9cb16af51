#include "relay_engine.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "relay_engine_offer.h"
#include "relay_engine_state.h"

struct relay_engine *relay_engine_new(const struct relay_engine_settings *settings)
{
	struct relay_engine *e = mem_new(sizeof *e);

	e->settings = settings;
	e->tail = &e->first;
	e->login_due = settings->user;
	relay_hello_begin(e);
	return e;
}

void relay_engine_free(struct relay_engine **e)
{
	if (!*e)
		return;
	relay_ask_free_all(*e);
	relay_xclient_forget(*e);
	free((*e)->mail);
	free((*e)->accepted_list);
	free(*e);
	*e = NULL;
}

enum relay_step relay_fail(struct relay_engine *e, enum relay_engine_failure failure,
			   const char *what, const struct relay_reply *reply)
{
	if (e->quitting) {
		e->closed = true;
		return RELAY_CLOSED;
	}
	if (e->failure != RELAY_FAILURE_NONE)
		return RELAY_FAILED;
	e->failure = failure;
	if (reply && reply->code)
		snprintf(e->failure_text, sizeof e->failure_text, "%s: %d %s%s%s", what,
			 reply->code, reply->status, *reply->status ? " " : "", reply->text);
	else
		snprintf(e->failure_text, sizeof e->failure_text, "%s", what);
	return RELAY_FAILED;
}

void relay_set_result(struct relay_engine *e, const struct relay_answer *answer, unsigned index)
{
	e->answer = *answer;
	e->result = (struct relay_engine_result){e->answer.code, e->answer.status, e->answer.text,
						 index};
}

bool relay_is_refusal(const struct relay_reply *reply)
{
	return reply->code / 100 == 4 || reply->code / 100 == 5;
}

struct relay_answer relay_answer_of(const struct relay_reply *reply)
{
	struct relay_answer answer = {.code = reply->code};

	memcpy(answer.status, reply->status, sizeof answer.status);
	memcpy(answer.text, reply->text, sizeof answer.text);
	return answer;
}

/* --- the step --- */

static enum relay_step on_reset(struct relay_engine *e)
{
	if (e->reply.code / 100 == 2)
		return RELAY_GO_ON;
	return relay_fail(e, RELAY_FAILURE_BROKEN, "RSET", &e->reply);
}

static enum relay_step answer(struct relay_engine *e, const struct relay_ask *ask,
			      const struct buf *in, const struct buf *out)
{
	switch (ask->verb) {
	case RELAY_MAIL:
	case RELAY_RCPT:
		return relay_envelope_answer(e, ask);
	case RELAY_DATA:
	case RELAY_MESSAGE:
		return relay_body_answer(e, ask, out);
	case RELAY_RSET:
		return on_reset(e);
	case RELAY_QUIT:
		e->closed = true;
		return RELAY_CLOSED;
	default:
		return relay_hello_answer(e, ask->verb, in);
	}
}

/* A whole reply is in e->reply. */
static enum relay_step take_reply(struct relay_engine *e, const struct buf *in,
				  const struct buf *out)
{
	struct relay_ask ask;

	if (!e->awaited && (e->phase == RELAY_BODY_OPEN || e->phase == RELAY_BODY_ENDING))
		return relay_body_early(e);
	if (e->reply.code == 421 && !e->quitting && !e->sending)
		return relay_fail(e, RELAY_FAILURE_CLOSING, "the server closes", &e->reply);
	if (!e->awaited)
		return relay_fail(e, RELAY_FAILURE_UNASKED, "a reply to nothing", &e->reply);
	ask = *e->first;
	relay_ask_pop(e);
	e->answered = true;
	return answer(e, &ask, in, out);
}

static enum relay_step on_lost(struct relay_engine *e)
{
	char text[64];

	snprintf(text, sizeof text, "the server has gone%s%s",
		 e->first ? " before its reply to " : "",
		 e->first ? relay_ask_word(e->first->verb) : "");
	return relay_fail(e, RELAY_FAILURE_LOST, text, NULL);
}

static enum relay_step read_line(struct relay_engine *e, struct buf *in, const struct buf *out)
{
	struct octets line;
	size_t used;
	enum relay_reply_result result =
		relay_reply_read(&e->reply, buf_head(in), in->len, &line, &used);
	enum relay_step step = RELAY_GO_ON;

	if (result == RELAY_REPLY_BAD)
		return relay_fail(e, RELAY_FAILURE_BROKEN, "no reply of SMTP", NULL);
	if (result == RELAY_REPLY_MORE) {
		if (e->lost)
			return on_lost(e);
		return e->phase == RELAY_BODY_OPEN ? RELAY_NEED_BODY : RELAY_NEED_INPUT;
	}
	/* The first line has only the server's name. */
	if (e->awaited && e->first->verb == RELAY_EHLO && e->reply.lines > 1)
		relay_offer_add(&e->offer, line);
	buf_consume(in, used);
	/* Of a reply that nobody waits for, one line is enough. */
	if (result == RELAY_REPLY_DONE || !e->awaited) {
		step = take_reply(e, in, out);
		e->reply = (struct relay_reply){0};
	}
	return step;
}

static bool is_waiting(const struct relay_engine *e, const struct buf *in)
{
	return e->awaited || e->phase != RELAY_BODY_NONE || in->len || e->lost;
}

/* The first recipient of the queue has its result without a reply. */
static enum relay_step tell_known(struct relay_engine *e)
{
	const struct relay_ask *ask = e->first;

	relay_set_result(e, ask->refusal ? ask->refusal : &e->sender, ask->index);
	relay_ask_pop(e);
	return RELAY_GOT_RECIPIENT;
}

static enum relay_step advance(struct relay_engine *e, struct buf *in, struct buf *out)
{
	enum relay_step step;

	if (e->repeat)
		return relay_body_repeat(e);
	if (e->closed)
		return RELAY_CLOSED;
	if (e->failure != RELAY_FAILURE_NONE)
		return RELAY_FAILED;
	if (e->handshake)
		return e->lost ? on_lost(e) : RELAY_NEED_TLS;
	if (e->first && relay_envelope_is_known(e, e->first))
		return tell_known(e);
	if (relay_ask_write(e, in, out) && !is_waiting(e, in))
		return e->first ? RELAY_NEED_INPUT : RELAY_READY;
	step = read_line(e, in, out);
	/* What the server has begun to say comes first: it may be a refusal, and is no success. */
	if (step == RELAY_NEED_INPUT && e->phase == RELAY_BODY_ENDING && !in->len)
		relay_body_write_end(e, out);
	return step;
}

enum relay_step relay_engine_step(struct relay_engine *e, struct buf *in, struct buf *out)
{
	enum relay_step step = RELAY_GO_ON;

	assert(in->max >= RELAY_IN_MAX && out->max >= RELAY_OUT_MAX);
	while (step == RELAY_GO_ON)
		step = advance(e, in, out);
	return step;
}

/* --- from outside --- */

void relay_engine_lost(struct relay_engine *e)
{
	e->lost = true;
}

void relay_engine_quit(struct relay_engine *e)
{
	assert(!e->transaction);
	relay_ask_add(e, RELAY_QUIT, mem_copy_string("QUIT\r\n"));
	e->quitting = true;
}

bool relay_engine_is_secure(const struct relay_engine *e)
{
	return e->secure;
}

const struct relay_engine_offer *relay_engine_offer(const struct relay_engine *e)
{
	return &e->offer;
}

const struct relay_engine_result *relay_engine_result(const struct relay_engine *e)
{
	return &e->result;
}

bool relay_engine_outcome_unknown(const struct relay_engine *e)
{
	return e->phase == RELAY_BODY_ENDED;
}

enum relay_engine_failure relay_engine_failure(const struct relay_engine *e)
{
	return e->failure;
}

const char *relay_engine_failure_text(const struct relay_engine *e)
{
	return e->failure_text;
}
