#include "smtp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp_engine.h"
#include "smtp_reply.h"
#include "smtp_xclient.h"

static struct verdict plain_accept = {.kind = VERDICT_ACCEPT};

static void forget_verdict(struct smtp *s)
{
	if (s->verdict != &plain_accept) {
		verdict_fini(s->verdict);
		free(s->verdict);
	}
	s->verdict = &plain_accept;
}

struct smtp *smtp_new(const struct smtp_settings *settings)
{
	struct smtp *s = mem_new(sizeof *s);

	s->settings = settings;
	s->verdict = &plain_accept;
	return s;
}

void smtp_free(struct smtp **p)
{
	struct smtp *s = *p;

	*p = NULL;
	if (!s)
		return;
	forget_verdict(s);
	smtp_result_fini(&s->delivered);
	smtp_result_fini(&s->message.failure);
	smtp_result_fini(&s->repeated);
	smtp_line_wipe(&s->line);
	smtp_line_wipe(&s->auth_line);
	smtp_auth_fini(&s->auth);
	smtp_transaction_fini(&s->transaction);
	free(s->mailbox);
	free(s->new_sender);
	free(s->helo);
	free(s->new_helo);
	free(s->greeting);
	free(s->reply_text);
	free(s->xclient);
	free(s);
}

void smtp_end_transaction(struct smtp *s)
{
	s->transaction.over = s->transaction.sender != NULL;
	s->message.by_chunks = false;
}

/* --- questions --- */

static enum smtp_step take_verdict(struct smtp *s)
{
	static enum smtp_step (*const on_verdict[HOOK_MAX])(struct smtp *) = {
		[HOOK_CONNECT] = smtp_greeting_on_connect,
		[HOOK_EHLO] = smtp_commands_on_ehlo,
		[HOOK_STARTTLS] = smtp_greeting_on_starttls,
		[HOOK_SECURE] = smtp_greeting_on_secure,
		[HOOK_AUTH] = smtp_login_on_auth,
		[HOOK_MAIL] = smtp_envelope_on_mail,
		[HOOK_RCPT] = smtp_envelope_on_rcpt,
		[HOOK_DATA] = smtp_message_on_data,
		[HOOK_MESSAGE] = smtp_message_on_message,
	};

	s->wait = SMTP_WAIT_NOTHING;
	return on_verdict[s->hook](s);
}

/* What is thrown away is nobody's business any more; the client is told what an accept tells it. */
static bool is_decided(const struct smtp *s, enum hook hook)
{
	if (hook == HOOK_RCPT)
		return s->transaction.discarded;
	return (hook == HOOK_DATA || hook == HOOK_MESSAGE) && smtp_is_discarded(s);
}

enum smtp_step smtp_ask(struct smtp *s, enum hook hook)
{
	assert(s->wait == SMTP_WAIT_NOTHING);
	forget_verdict(s);
	s->hook = hook;
	if (is_decided(s, hook))
		return take_verdict(s);
	s->wait = SMTP_WAIT_VERDICT;
	s->answered = false;
	return SMTP_NEED_VERDICT;
}

bool smtp_is_refused(const struct smtp *s)
{
	return s->verdict->kind != VERDICT_ACCEPT && s->verdict->kind != VERDICT_DISCARD;
}

bool smtp_awaits_verdict(const struct smtp *s)
{
	return s->wait == SMTP_WAIT_VERDICT && !s->answered;
}

enum hook smtp_hook(const struct smtp *s)
{
	return s->hook;
}

void smtp_describe(const struct smtp *s, struct hook_request *request)
{
	const struct smtp_transaction *t = &s->transaction;

	request->hook = s->hook;
	request->commands = s->commands;
	request->messages = s->messages;
	request->errors = s->errors;
	request->context.helo = s->helo ? &s->helo->facts : NULL;
	request->context.auth = s->authenticated ? &s->auth.facts : NULL;
	request->helo = s->new_helo ? &s->new_helo->facts : NULL;
	request->auth = s->hook == HOOK_AUTH ? &s->auth.facts : NULL;
	request->mailbox = s->new_sender ? &s->new_sender->facts
			   : s->mailbox	 ? &s->mailbox->facts
					 : NULL;
	if (!smtp_transaction_is_open(t))
		return;
	request->context.mail = &t->sender->facts;
	request->context.recipients = t->recipients;
	request->context.recipients_len = t->recipients_len;
	request->index = t->tried;
	request->accepted = (unsigned)t->recipients_len;
}

/* What is left of the kinds when a whole chain has answered. */
static bool fits(enum verdict_kind kind, enum hook hook)
{
	switch (kind) {
	case VERDICT_ACCEPT:
	case VERDICT_TEMPFAIL:
	case VERDICT_REJECT:
	case VERDICT_DISCONNECT:
		return true;
	case VERDICT_DISCARD:
		return hook == HOOK_MAIL || hook == HOOK_RCPT || hook == HOOK_DATA ||
		       hook == HOOK_MESSAGE;
	case VERDICT_BYPASS:
	case VERDICT_QUARANTINE:
	case VERDICT_MAX:
		break;
	}
	return false;
}

void smtp_verdict(struct smtp *s, const struct verdict *verdict)
{
	char problem[128];

	assert(smtp_awaits_verdict(s) && fits(verdict->kind, s->hook));
	s->answered = true;
	if (verdict->kind == VERDICT_ACCEPT && !verdict->code && !verdict->text &&
	    !verdict->status[0])
		return; /* as it is since the question */
	s->verdict = mem_new(sizeof *s->verdict);
	s->verdict->kind = verdict->kind;
	s->verdict->code = verdict->code;
	s->verdict->text = mem_copy_string(verdict->text);
	memcpy(s->verdict->status, verdict->status, sizeof s->verdict->status);
	assert(!verdict_problem(s->verdict, problem, sizeof problem));
}

void smtp_body_failed(struct smtp *s, int code, const char *status, const char *text)
{
	assert(code / 100 == 4);
	smtp_result_set(&s->message.failure, code, status, text);
}

/* --- steps --- */

enum smtp_step smtp_advance(struct smtp *s)
{
	switch (s->phase) {
	case SMTP_PHASE_GREETING:
		return smtp_greeting_begin(s);
	case SMTP_PHASE_COMMAND:
		if (s->secure && !s->secure_asked)
			return smtp_greeting_ask_secure(s);
		return smtp_commands_read(s);
	case SMTP_PHASE_AUTH:
		return smtp_login_read(s);
	case SMTP_PHASE_BODY:
		return smtp_message_read(s);
	case SMTP_PHASE_CHUNK:
		return smtp_bdat_read(s);
	case SMTP_PHASE_SKIP:
		return smtp_bdat_skip(s);
	case SMTP_PHASE_TLS:
		return smtp_greeting_handshake(s);
	case SMTP_PHASE_GONE:
		break;
	}
	return SMTP_FINISHED;
}

static bool nobody_reads(const struct smtp *s)
{
	return s->phase == SMTP_PHASE_TLS || (s->settings->implicit_tls && !s->secure) ||
	       s->reason == DISCONNECT_CLIENT_GONE || s->reason == DISCONNECT_TLS;
}

static enum smtp_step end_now(struct smtp *s)
{
	s->ending = false;
	s->wait = SMTP_WAIT_NOTHING;
	if (nobody_reads(s)) {
		smtp_end_transaction(s);
		s->phase = SMTP_PHASE_GONE;
		return SMTP_FINISHED;
	}
	if (s->reason == DISCONNECT_EARLY_TALK)
		return smtp_greeting_early_talk(s);
	if (s->phase == SMTP_PHASE_BODY || s->phase == SMTP_PHASE_CHUNK)
		s->reply.verb = SMTP_MESSAGE;
	return smtp_reply_closing(s, s->reason);
}

/* The question that is open is asked for again; the one that was answered has its effect. */
static enum smtp_step go_on(struct smtp *s)
{
	switch (s->wait) {
	case SMTP_WAIT_VERDICT:
		return s->answered ? take_verdict(s) : SMTP_NEED_VERDICT;
	case SMTP_WAIT_RECIPIENT:
		return s->answered ? smtp_delivery_on_recipient(s) : SMTP_NEED_RECIPIENT;
	case SMTP_WAIT_DELIVERY:
		return s->answered ? smtp_delivery_on_delivered(s) : SMTP_NEED_DELIVERY;
	case SMTP_WAIT_CLIENT:
		return s->answered ? smtp_client_on_changed(s) : SMTP_NEED_CLIENT;
	case SMTP_WAIT_NOTHING:
		break;
	}
	return smtp_advance(s);
}

enum smtp_step smtp_step(struct smtp *s, struct buf *in, struct buf *out)
{
	/* A smaller `in` could be full of half a line, and both sides would wait for ever. */
	assert(in->max >= SMTP_AUTH_LINE_MAX && out->max >= SMTP_OUT_MAX);
	s->in = in;
	s->out = out;
	smtp_reply_forget(s);
	buf_consume(in, s->message.body_used);
	s->message.body_used = 0;
	if (s->ending)
		return end_now(s);
	if (s->repeats)
		return smtp_reply_again(s);
	return go_on(s);
}

void smtp_tls_started(struct smtp *s)
{
	assert(s->phase == SMTP_PHASE_TLS && !smtp_transaction_is_open(&s->transaction));
	s->secure = true;
	s->phase = s->greeted ? SMTP_PHASE_COMMAND : SMTP_PHASE_GREETING;
	/* RFC 3207 4.2: what came in clear may have come from anybody. The counts stay, or a client
	 * could begin its limits anew. */
	free(s->helo);
	s->helo = NULL;
	s->helo_said = false;
	s->authenticated = false;
	smtp_auth_fini(&s->auth);
	if (s->xclient)
		smtp_xclient_forget_login(s->xclient);
}

void smtp_allow_relay(struct smtp *s)
{
	s->relay_allowed = true;
}

void smtp_allow_xclient(struct smtp *s)
{
	s->xclient_allowed = true;
}

void smtp_early_talk(struct smtp *s)
{
	assert(!s->greeted);
	smtp_end(s, DISCONNECT_EARLY_TALK);
}

const struct smtp_xclient *smtp_xclient(const struct smtp *s)
{
	return s->xclient;
}

void smtp_client_changed(struct smtp *s)
{
	assert(s->wait == SMTP_WAIT_CLIENT && !s->answered);
	s->answered = true;
	/* It was the peer's own. Whoever it speaks for must not relay because the proxy may. */
	s->relay_allowed = false;
}

void smtp_end(struct smtp *s, enum disconnect_reason reason)
{
	if (s->phase == SMTP_PHASE_GONE && !s->repeats)
		return;
	s->ending = true;
	s->reason = reason;
}

/* --- what is known --- */

const struct smtp_reply *smtp_last_reply(const struct smtp *s)
{
	return &s->reply;
}

void smtp_body(const struct smtp *s, const char **data, size_t *len)
{
	*data = s->message.body.data;
	*len = s->message.body.len;
}

uint64_t smtp_message_size(const struct smtp *s)
{
	return s->message.size;
}

bool smtp_in_body(const struct smtp *s)
{
	return s->phase == SMTP_PHASE_BODY || s->phase == SMTP_PHASE_SKIP || s->message.by_chunks;
}

bool smtp_message_waits(const struct smtp *s)
{
	return s->wait == SMTP_WAIT_DELIVERY ||
	       (s->wait == SMTP_WAIT_VERDICT && s->hook == HOOK_MESSAGE);
}

bool smtp_is_secure(const struct smtp *s)
{
	return s->secure;
}

enum disconnect_reason smtp_disconnect_reason(const struct smtp *s)
{
	return s->reason;
}

unsigned smtp_commands(const struct smtp *s)
{
	return s->commands;
}

unsigned smtp_messages(const struct smtp *s)
{
	return s->messages;
}

unsigned smtp_errors(const struct smtp *s)
{
	return s->errors;
}
