/* BDAT (RFC 3030): the message in chunks.
 *
 * The octets of a chunk are read whatever its command is answered, and before it is: RFC 3030
 * section 2. Otherwise a refused message would be taken for commands, which whoever wrote the
 * message has chosen. */
#include "smtp_engine.h"
#include "smtp_reply.h"

#include <stdio.h>

/* Reads the size into s->chunk. False: nobody knows where the next command is. */
static bool read_size(struct smtp *s, struct octets argument)
{
	return s->line.fault == SMTP_LINE_GOOD && smtp_chunk_begin(&s->chunk, argument);
}

static enum smtp_step lose(struct smtp *s)
{
	return smtp_reply_last(s, 501, "5.5.4", "Bad chunk size", DISCONNECT_CHUNK_SIZE);
}

static enum smtp_step skip(struct smtp *s, struct smtp_problem problem)
{
	s->chunk_problem = problem;
	s->phase = SMTP_PHASE_SKIP;
	return smtp_bdat_skip(s);
}

/* Refused by the last verdict. One that closes need not wait: nothing more is read. */
static enum smtp_step skip_as_told(struct smtp *s)
{
	if (s->verdict->kind == VERDICT_DISCONNECT || verdict_code(s->verdict, s->hook) == 421)
		return smtp_reply_refusal(s, s->hook);
	return skip(s, (struct smtp_problem){0});
}

enum smtp_step smtp_bdat_skip(struct smtp *s)
{
	const struct smtp_problem *problem = &s->chunk_problem;
	struct octets octets;

	for (;;) {
		switch (smtp_chunk_read(&s->chunk, buf_head(s->in), s->in->len, &octets)) {
		case SMTP_CHUNK_MORE:
			return SMTP_NEED_INPUT;
		case SMTP_CHUNK_BODY:
			buf_consume(s->in, octets.len);
			break;
		case SMTP_CHUNK_END:
			s->phase = SMTP_PHASE_COMMAND;
			if (!problem->code)
				return smtp_reply_refusal(s, s->hook);
			return smtp_reply_fault(s, problem->code, problem->status, problem->text);
		}
	}
}

enum smtp_step smtp_bdat_refuse(struct smtp *s, struct octets argument)
{
	return read_size(s, argument) ? skip_as_told(s) : lose(s);
}

static enum smtp_step begin_chunk(struct smtp *s)
{
	s->message.chunk_size = s->chunk.left;
	s->phase = SMTP_PHASE_CHUNK;
	return smtp_bdat_read(s);
}

enum smtp_step smtp_bdat_command(struct smtp *s, struct octets argument,
				 struct smtp_problem problem)
{
	struct smtp_problem no_recipients = {s->settings->lmtp ? 503 : 554, "5.5.1",
					     "No valid recipients"};

	if (!read_size(s, argument))
		return lose(s);
	if (problem.code)
		return skip(s, problem);
	if (s->message.by_chunks)
		return begin_chunk(s);
	s->reply.verb = SMTP_DATA;
	s->reply.recipients = (unsigned)s->transaction.accepted;
	if (!s->transaction.accepted)
		return skip(s, no_recipients);
	s->message.by_chunks = true;
	return smtp_ask(s, HOOK_DATA);
}

enum smtp_step smtp_bdat_on_data(struct smtp *s)
{
	if (smtp_is_refused(s)) {
		smtp_end_transaction(s);
		return skip_as_told(s);
	}
	smtp_message_begin(s);
	s->message.by_chunks = true;
	return begin_chunk(s);
}

static enum smtp_step end_chunk(struct smtp *s)
{
	struct smtp_message *m = &s->message;
	char text[64];

	s->phase = SMTP_PHASE_COMMAND;
	if (s->chunk.last || smtp_message_is_doomed(s))
		return smtp_message_finish(s);
	s->reply.discarded = smtp_is_discarded(s);
	snprintf(text, sizeof text, "%llu octets received", (unsigned long long)m->chunk_size);
	return smtp_reply_send(s, 250, "2.0.0", text);
}

enum smtp_step smtp_bdat_read(struct smtp *s)
{
	struct smtp_message *m = &s->message;

	for (;;) {
		switch (smtp_chunk_read(&s->chunk, buf_head(s->in), s->in->len, &m->body)) {
		case SMTP_CHUNK_MORE:
			return SMTP_NEED_INPUT;
		case SMTP_CHUNK_BODY:
			if (smtp_message_take_body(s)) {
				m->body_used = m->body.len;
				return SMTP_GOT_BODY;
			}
			buf_consume(s->in, m->body.len);
			break;
		case SMTP_CHUNK_END:
			return end_chunk(s);
		}
	}
}
