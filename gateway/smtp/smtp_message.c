/* DATA, the message behind it, and what becomes of it. */
#include <stdlib.h>
#include <string.h>

#include "smtp_engine.h"
#include "smtp_reply.h"

/* More servers than any honest way has: the message goes in circles. */
#define RECEIVED_MAX 50

enum smtp_step smtp_message_data(struct smtp *s, struct octets argument)
{
	(void)argument;
	s->reply.recipients = (unsigned)s->transaction.recipients_len;
	if (!s->transaction.recipients_len)
		return smtp_reply_fault(s, 554, "5.5.1", "No valid recipients");
	return smtp_ask(s, HOOK_DATA);
}

enum smtp_step smtp_message_on_data(struct smtp *s)
{
	char line[VERDICT_LINE_MAX + 1];

	if (s->verdict.kind != VERDICT_ACCEPT) {
		smtp_end_transaction(s);
		return smtp_reply_refusal(s, HOOK_DATA);
	}
	free(s->message.failure.text);
	s->message = (struct smtp_message){0};
	s->phase = SMTP_PHASE_BODY;
	return smtp_reply_send(s, 354, "",
			       smtp_verdict_line(s, line, "End data with <CR><LF>.<CR><LF>"));
}

static bool is_too_large(const struct smtp *s)
{
	return s->message.size > s->settings->message_size;
}

static bool is_doomed(const struct smtp *s)
{
	const struct smtp_message *m = &s->message;

	return m->failure.code || is_too_large(s) || m->dot.bare_newline ||
	       m->received.count > RECEIVED_MAX;
}

/* The end has come. All of the message was read, whatever its fate, so none of it can be taken for
 * commands. */
static enum smtp_step finish(struct smtp *s)
{
	struct smtp_message *m = &s->message;

	s->phase = SMTP_PHASE_COMMAND;
	s->reply.verb = SMTP_MESSAGE;
	if (!is_doomed(s))
		return smtp_ask(s, HOOK_MESSAGE);
	smtp_end_transaction(s);
	if (m->dot.bare_newline)
		s->reply.violation = "bare_newline";
	if (m->failure.code)
		return smtp_reply_send(s, m->failure.code, m->failure.status, m->failure.text);
	if (is_too_large(s))
		return smtp_reply_fault(s, 552, "5.3.4", "Message too large");
	/* Passed on, a lone LF or CR may end the message for the next server, with commands of the
	 * attacker's behind it (SMTP smuggling). RFC 5321 2.3.8 forbids them. */
	if (m->dot.bare_newline)
		return smtp_reply_fault(s, 550, "5.6.0", "Message has a CR or LF that is no CR LF");
	return smtp_reply_send(s, 554, "5.4.6", "Too many hops, this is a mail loop");
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
			return finish(s);
		}
		m->size += m->body.len;
		smtp_received_scan(&m->received, m->body.data, m->body.len);
		if (!is_doomed(s)) {
			m->body_used = used;
			return SMTP_GOT_BODY;
		}
		buf_consume(s->in, used);
	}
}

enum smtp_step smtp_message_on_message(struct smtp *s)
{
	if (s->verdict.kind != VERDICT_ACCEPT) {
		smtp_end_transaction(s);
		return smtp_reply_refusal(s, HOOK_MESSAGE);
	}
	s->wait = SMTP_WAIT_DELIVERY;
	s->answered = false;
	return SMTP_NEED_DELIVERY;
}

enum smtp_step smtp_message_on_delivered(struct smtp *s)
{
	const struct smtp_result *result = &s->delivered;

	s->wait = SMTP_WAIT_NOTHING;
	smtp_end_transaction(s);
	if (result->code >= 300)
		return smtp_reply_send(s, result->code, result->status, result->text);
	s->messages++;
	/* A list with some dead addresses is no attack, as long as mail comes of it. */
	s->forgiven = s->errors;
	return smtp_reply_accept(s, HOOK_MESSAGE, result->code, result->status, result->text);
}
