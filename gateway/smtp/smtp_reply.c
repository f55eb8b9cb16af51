#include "smtp_reply.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define REPLY_MAX 512 /* with the CRLF: RFC 5321 4.5.3.1.5 */

/* RFC 2034 section 3 (4): in all 2yz, 4yz and 5yz replies but the greeting and any reply to EHLO or
 * HELO, which includes their refusals. LHLO is EHLO (RFC 2033 4.1). */
static bool has_status(const struct smtp *s)
{
	return s->greeted && s->reply.verb != SMTP_EHLO && s->reply.verb != SMTP_HELO &&
	       s->reply.verb != SMTP_LHLO;
}

/* Texts of services are checked where they come in. Should one slip through, a control octet would
 * let its author write replies of his own (reply splitting), so none passes here. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void write_line(struct smtp *s, bool last, const char *text, size_t len)
{
	char line[REPLY_MAX + 1], *at = line;
	char *end = line + REPLY_MAX - 1; /* a NUL there, and then the CRLF over it */
	const char *status = s->reply.status;
	int code = s->reply.code;

	*at++ = (char)('0' + code / 100 % 10);
	*at++ = (char)('0' + code / 10 % 10);
	*at++ = (char)('0' + code % 10);
	*at++ = last ? ' ' : '-';
	at = text_append(at, end, status);
	at = text_append(at, end, status[0] ? " " : "");
	at = text_append_octets(at, end, text, len);
	make_printable(line);
	at = mempcpy(at, "\r\n", 2);
	buf_append(s->out, line, (size_t)(at - line));
}

static void describe_transaction(struct smtp *s)
{
	bool open = smtp_transaction_is_open(&s->transaction) || s->repeats;

	s->reply.transaction_begun = open && !s->transaction_reported;
	s->reply.transaction_ended = !open && s->transaction_reported;
	s->transaction_reported = open;
}

static void write_lines(struct smtp *s, const char *text)
{
	for (;;) {
		size_t n = strcspn(text, "\n");

		write_line(s, !text[n], text, n);
		if (!text[n])
			break;
		text += n + 1;
	}
	assert(!s->out->overflow); /* nothing is read while `out` is half full */
}

static void set_reply(struct smtp *s, int code, const char *status, const char *text)
{
	text_copy(s->reply_status, sizeof s->reply_status, has_status(s) ? status : "");
	free(s->reply_text);
	s->reply_text = mem_copy_bytes(text, strcspn(text, "\n"));
	make_printable(s->reply_text);
	s->reply.code = code;
	s->reply.status = s->reply_status;
	s->reply.text = s->reply_text;
}

/* What the delivery has said for this recipient alone, or NULL. The facts in the list of recipients
 * point into the mailboxes, whatever was added and dropped. */
static const struct smtp_result *find_result(const struct smtp_transaction *t,
					     const struct smtp_mailbox *recipient)
{
	for (size_t i = 0; t->results && i < t->recipients_len; i++)
		if (t->recipients[i].address.data == recipient->facts.address.data)
			return t->results[i].code ? &t->results[i] : NULL;
	return NULL;
}

/* LMTP: makes it the reply for this recipient, and returns its text. */
static const char *speak_to(struct smtp *s, const struct smtp_mailbox *recipient)
{
	const struct smtp_result *result = find_result(&s->transaction, recipient);

	if (!result)
		result = &s->repeated;
	set_reply(s, result->code, result->status, result->text);
	s->reply.mailbox = &recipient->facts;
	s->reply.discarded = s->reply.code < 300 && (smtp_is_discarded(s) || recipient->discarded);
	return result->text;
}

/* RFC 2033 4.2: after the final dot each accepted recipient gets a reply of its own. They are all
 * the same, unless the delivery tells them apart. A 421 is no answer for any of them. Returns the
 * text of the reply that comes first. */
static const char *begin_repeats(struct smtp *s, int code, const char *status, const char *text)
{
	const struct smtp_transaction *t = &s->transaction;

	if (!s->settings->lmtp || s->reply.verb != SMTP_MESSAGE || s->reply.code == 421)
		return text;
	/* RFC 3030 section 2: a chunk that is not the last has one reply, also here. */
	if (s->line.len && !s->chunk.last)
		return text;
	if (!t->accepted)
		return text;
	smtp_result_set(&s->repeated, code, status, text);
	s->repeats = (unsigned)t->accepted - 1;
	return speak_to(s, t->mailboxes[0]);
}

void smtp_reply_challenge(struct smtp *s, const char *text)
{
	buf_printf(s->out, "334 %s\r\n", text);
}

enum smtp_step smtp_reply_again(struct smtp *s)
{
	const struct smtp_transaction *t = &s->transaction;
	const char *text;

	if (s->out->len > SMTP_OUT_MAX / 2)
		return SMTP_NEED_INPUT;
	text = speak_to(s, t->mailboxes[t->accepted - s->repeats]);
	s->repeats--;
	s->reply.line = (struct octets){"", 0};
	describe_transaction(s);
	write_lines(s, text);
	return SMTP_GOT_REPLY;
}

static void describe_line(struct smtp *s)
{
	enum smtp_verb verb = s->reply.verb;

	if (verb == SMTP_AUTH)
		smtp_login_mask_line(s);
	/* After a refused AUTH some clients go on with user and password as if they were asked. */
	if (verb == SMTP_UNKNOWN && s->auth_refused && s->line.len) {
		explicit_bzero(s->line.text, s->line.len);
		s->line.text[0] = '*';
		s->line.len = 1;
	}
	if (verb != SMTP_UNKNOWN)
		s->auth_refused = verb == SMTP_AUTH && s->reply.code != 235;
	s->reply.line = (struct octets){s->line.text ? s->line.text : "", s->line.len};
	if (verb == SMTP_GREETING) /* the line that is being read is answered by nothing */
		s->reply.line = (struct octets){"", 0};
}

enum smtp_step smtp_reply_send(struct smtp *s, int code, const char *status, const char *text)
{
	assert(!s->replied && code >= 200 && code <= 599);
	set_reply(s, code, status, text);
	describe_line(s);
	text = begin_repeats(s, code, status, text);
	describe_transaction(s);
	write_lines(s, text);
	s->replied = true;
	return SMTP_GOT_REPLY;
}

enum smtp_step smtp_reply_last(struct smtp *s, int code, const char *status, const char *text,
			       enum disconnect_reason reason)
{
	smtp_end_transaction(s);
	s->phase = SMTP_PHASE_GONE;
	s->reason = reason;
	return smtp_reply_send(s, code, status, text);
}

enum smtp_step smtp_reply_closing(struct smtp *s, enum disconnect_reason reason)
{
	static const struct {
		const char *status, *text;
	} table[DISCONNECT_MAX] = {
		[DISCONNECT_ERRORS] = {"4.7.0", "Too many errors"},
		[DISCONNECT_COMMANDS] = {"4.7.0", "Too many commands"},
		[DISCONNECT_MESSAGES] = {"4.7.0", "Too many messages in one connection"},
		[DISCONNECT_CONNECTIONS] = {"4.7.0", "Too many connections, try again later"},
		[DISCONNECT_COMMAND_TIMEOUT] = {"4.4.2", "Timeout waiting for a command"},
		[DISCONNECT_DATA_TIMEOUT] = {"4.4.2", "Timeout waiting for the message"},
		[DISCONNECT_SESSION_TIME] = {"4.4.2", "Connection open too long"},
		[DISCONNECT_NOT_SMTP] = {"4.7.0", "This is SMTP"},
		[DISCONNECT_SHUTDOWN] = {"4.3.2", "Service shutting down"},
	};
	char text[REPLY_MAX];

	snprintf(text, sizeof text, "%s %s", s->settings->hostname,
		 table[reason].text ? table[reason].text : "Closing connection");
	return smtp_reply_last(s, 421, table[reason].status ? table[reason].status : "4.3.0", text,
			       reason);
}

static bool is_one_too_many(struct smtp *s)
{
	s->errors++;
	return s->errors - s->forgiven > s->settings->errors;
}

enum smtp_step smtp_reply_fault(struct smtp *s, int code, const char *status, const char *text)
{
	if (is_one_too_many(s))
		return smtp_reply_closing(s, DISCONNECT_ERRORS);
	return smtp_reply_send(s, code, status, text);
}

static const char *default_refusal(int code)
{
	if (code == 421)
		return "Service not available, closing connection";
	return code < 500 ? "Temporarily refused, try again later" : "Refused by policy";
}

enum smtp_step smtp_reply_refusal_as(struct smtp *s, int code, const char *status)
{
	const char *text = s->verdict->text ? s->verdict->text : default_refusal(code);

	/* Whatever goes wrong with a verdict, a refusal is never said with a 2yz or 354. */
	assert(smtp_is_refused(s) && code >= 400);
	if (s->verdict->kind == VERDICT_DISCONNECT || code == 421)
		return smtp_reply_last(s, code, status, text, DISCONNECT_POLICY);
	return smtp_reply_send(s, code, status, text);
}

enum smtp_step smtp_reply_refusal(struct smtp *s, enum hook hook)
{
	return smtp_reply_refusal_as(s, verdict_code(s->verdict, hook),
				     verdict_status(s->verdict, hook));
}

enum smtp_step smtp_reply_refusal_fault(struct smtp *s, enum hook hook)
{
	if (is_one_too_many(s))
		return smtp_reply_closing(s, DISCONNECT_ERRORS);
	return smtp_reply_refusal(s, hook);
}

enum smtp_step smtp_reply_accept(struct smtp *s, enum hook hook, int code, const char *status,
				 const char *text)
{
	int own_code = verdict_code(s->verdict, hook);
	const char *own_status = verdict_status(s->verdict, hook);

	return smtp_reply_send(s, own_code ? own_code : code, own_status[0] ? own_status : status,
			       s->verdict->text ? s->verdict->text : text);
}

void smtp_reply_forget(struct smtp *s)
{
	enum smtp_verb verb;

	if (!s->replied || (s->repeats && !s->ending))
		return;
	verb = s->repeats ? SMTP_MESSAGE : SMTP_GREETING; /* of the 421 in place of the others */
	s->replied = false;
	s->repeats = 0;
	smtp_result_fini(&s->repeated);
	free(s->reply_text);
	s->reply_text = NULL;
	s->reply = (struct smtp_reply){.verb = verb};
	free(s->new_helo);
	s->new_helo = NULL;
	free(s->mailbox);
	s->mailbox = NULL;
	free(s->new_sender);
	s->new_sender = NULL;
	if (!s->authenticated)
		smtp_auth_fini(&s->auth);
	smtp_line_fini(&s->line);
	if (s->transaction.over)
		smtp_transaction_fini(&s->transaction);
}
