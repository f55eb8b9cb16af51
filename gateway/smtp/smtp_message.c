/* DATA, the message behind it, and what becomes of it. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "smtp_engine.h"
#include "smtp_offer.h"
#include "smtp_reply.h"

/* More servers than any honest way has: the message goes in circles. */
#define RECEIVED_MAX 50

/* MAIL has said BODY=BINARYMIME. */
static bool is_binary(const struct smtp *s)
{
	const struct hook_mailbox *sender = &s->transaction.sender->facts;

	for (size_t i = 0; i < sender->params_len; i++) {
		const struct hook_param *param = &sender->params[i];

		if (text_is(param->name.data, param->name.len, "BODY") &&
		    text_is(param->value.data, param->value.len, "BINARYMIME"))
			return true;
	}
	return false;
}

void smtp_message_begin(struct smtp *s)
{
	free(s->message.failure.text);
	/* The limit stays, whatever the offer becomes: octets that were dropped are not had again.
	 */
	s->message = (struct smtp_message){
		.binary = is_binary(s),
		.size_max = smtp_offers_size(s),
	};
	s->chunk.cr = s->chunk.bare_newline = false;
}

enum smtp_step smtp_message_data(struct smtp *s, struct octets argument)
{
	(void)argument;
	s->reply.recipients = (unsigned)s->transaction.accepted;
	/* RFC 5321 3.3, RFC 2033 4.2 */
	if (!s->transaction.accepted)
		return smtp_reply_fault(s, s->settings->lmtp ? 503 : 554, "5.5.1",
					"No valid recipients");
	/* RFC 3030 section 3: what DATA does to lines would break it. */
	if (is_binary(s))
		return smtp_reply_fault(s, 503, "5.5.1", "BINARYMIME needs BDAT");
	return smtp_ask(s, HOOK_DATA);
}

static void take_discard(struct smtp *s)
{
	if (s->verdict->kind == VERDICT_DISCARD)
		s->transaction.discarded = true;
}

enum smtp_step smtp_message_on_data(struct smtp *s)
{
	char line[VERDICT_LINE_MAX + 1];

	take_discard(s);
	if (s->message.by_chunks)
		return smtp_bdat_on_data(s);
	if (smtp_is_refused(s)) {
		smtp_end_transaction(s);
		return smtp_reply_refusal(s, HOOK_DATA);
	}
	s->reply.discarded = smtp_is_discarded(s);
	smtp_message_begin(s);
	s->phase = SMTP_PHASE_BODY;
	return smtp_reply_send(s, 354, "",
			       smtp_verdict_line(s, line, "End data with <CR><LF>.<CR><LF>"));
}

static bool is_too_large(const struct smtp *s)
{
	return s->message.size > s->message.size_max;
}

/* Where lines mean nothing there is nothing wrong with one. */
static bool has_bare_newline(const struct smtp *s)
{
	return (s->message.dot.bare_newline || s->chunk.bare_newline) && !s->message.binary;
}

static bool refuses_newlines(const struct smtp *s)
{
	return has_bare_newline(s) && !s->settings->bare_newline_accept;
}

bool smtp_message_is_doomed(const struct smtp *s)
{
	const struct smtp_message *m = &s->message;

	return m->failure.code || is_too_large(s) || refuses_newlines(s) ||
	       m->received.count > RECEIVED_MAX;
}

/* All that was announced of the message was read, whatever its fate, so none of it can be taken for
 * commands. */
enum smtp_step smtp_message_finish(struct smtp *s)
{
	struct smtp_message *m = &s->message;

	s->phase = SMTP_PHASE_COMMAND;
	s->reply.verb = SMTP_MESSAGE;
	m->by_chunks = false;
	if (has_bare_newline(s))
		s->reply.violation = "bare_newline";
	if (!smtp_message_is_doomed(s))
		return smtp_ask(s, HOOK_MESSAGE);
	smtp_end_transaction(s);
	if (m->failure.code)
		return smtp_reply_send(s, m->failure.code, m->failure.status, m->failure.text);
	if (is_too_large(s))
		return smtp_reply_fault(s, 552, "5.3.4", "Message too large");
	/* Passed on, a lone LF or CR may end the message for the next server, with commands of the
	 * attacker's behind it (SMTP smuggling). RFC 5321 2.3.8 forbids them. */
	if (refuses_newlines(s))
		return smtp_reply_fault(s, 550, "5.6.0", "Message has a CR or LF that is no CR LF");
	return smtp_reply_send(s, 554, "5.4.6", "Too many hops, this is a mail loop");
}

bool smtp_message_take_body(struct smtp *s)
{
	struct smtp_message *m = &s->message;

	m->size += m->body.len;
	smtp_received_scan(&m->received, m->body.data, m->body.len);
	return !smtp_message_is_doomed(s) && !smtp_is_discarded(s);
}

enum smtp_step smtp_message_read(struct smtp *s)
{
	struct smtp_message *m = &s->message;
	enum smtp_dot_result result;
	size_t used;

	for (;;) {
		result = smtp_dot_read(&m->dot, buf_head(s->in), s->in->len, &m->body, &used);
		if (result == SMTP_DOT_MORE)
			return SMTP_NEED_INPUT;
		if (result == SMTP_DOT_END) {
			buf_consume(s->in, used);
			return smtp_message_finish(s);
		}
		if (smtp_message_take_body(s)) {
			m->body_used = used;
			return SMTP_GOT_BODY;
		}
		buf_consume(s->in, used);
	}
}

enum smtp_step smtp_message_on_message(struct smtp *s)
{
	if (smtp_is_refused(s)) {
		smtp_end_transaction(s);
		return smtp_reply_refusal(s, HOOK_MESSAGE);
	}
	take_discard(s);
	return smtp_delivery_ask(s);
}
