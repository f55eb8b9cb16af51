/* AUTH (RFC 4954). Who may log in is the services' to say, at the auth hook. */
#include <string.h>

#include "smtp_engine.h"
#include "smtp_reply.h"

bool smtp_login_is_offered(const struct smtp *s)
{
	return s->settings->auth && s->secure;
}

bool smtp_is_authenticated(const struct smtp *s)
{
	return s->authenticated;
}

static enum smtp_step challenge(struct smtp *s, const char *text)
{
	s->phase = SMTP_PHASE_AUTH;
	smtp_reply_challenge(s, text);
	return SMTP_NEED_INPUT;
}

static enum smtp_step on_result(struct smtp *s, enum smtp_auth_result result)
{
	s->phase = SMTP_PHASE_COMMAND;
	switch (result) {
	case SMTP_AUTH_MORE:
		return challenge(s, s->auth.challenge);
	case SMTP_AUTH_DONE:
		return smtp_ask(s, HOOK_AUTH);
	case SMTP_AUTH_CANCELLED:
		return smtp_reply_fault(s, 501, "5.7.0", "Authentication cancelled");
	case SMTP_AUTH_BAD_BASE64:
		return smtp_reply_fault(s, 501, "5.5.2", "This is not base64");
	case SMTP_AUTH_BAD_MESSAGE:
		break;
	}
	return smtp_reply_fault(s, 501, "5.5.2", "Credentials cannot be read");
}

/* The client's answer may be there already. */
static enum smtp_step go_on(struct smtp *s, enum smtp_step step)
{
	return s->phase == SMTP_PHASE_AUTH ? smtp_login_read(s) : step;
}

enum smtp_step smtp_login_auth(struct smtp *s, struct octets argument)
{
	const char *space = memchr(argument.data, ' ', argument.len);
	struct octets name = argument, initial = {0};
	const struct smtp_auth_mechanism *mechanism;

	if (s->authenticated)
		return smtp_reply_fault(s, 503, "5.5.1", "Already authenticated");
	if (smtp_transaction_is_open(&s->transaction))
		return smtp_reply_fault(s, 503, "5.5.1", "No AUTH within a transaction");
	/* A password that was sent in clear is lost already; at least it is not used, and the
	 * client learns not to do it again. */
	if (!s->secure)
		return smtp_reply_fault(
			s, 538, "5.7.11",
			"Encryption required for requested authentication mechanism");
	if (space) {
		name.len = (size_t)(space - argument.data);
		initial = (struct octets){space + 1, argument.len - name.len - 1};
	}
	mechanism = smtp_auth_find(name);
	if (!mechanism)
		return smtp_reply_fault(s, 504, "5.5.4", "Unknown authentication mechanism");
	return go_on(s, on_result(s, smtp_auth_begin(&s->auth, mechanism, initial)));
}

static enum smtp_step refuse(struct smtp *s)
{
	s->phase = SMTP_PHASE_COMMAND;
	s->auth_ending = false;
	/* Only what is the client's own fault counts: not a service that is down. */
	if (s->verdict->kind == VERDICT_REJECT)
		return smtp_reply_refusal_fault(s, HOOK_AUTH);
	return smtp_reply_refusal(s, HOOK_AUTH);
}

static enum smtp_step take_line(struct smtp *s)
{
	enum smtp_line_fault fault = s->auth_line.fault;
	struct octets line = {s->auth_line.text, s->auth_line.len};

	/* RFC 7628 section 3.2.3: after a failure the client says one thing more, which has no
	 * meaning. */
	if (s->auth_ending)
		return refuse(s);
	if (fault == SMTP_LINE_GOOD)
		return on_result(s, smtp_auth_take(&s->auth, line));
	s->phase = SMTP_PHASE_COMMAND;
	s->reply.violation = smtp_commands_violation(fault);
	if (fault == SMTP_LINE_TOO_LONG)
		return smtp_reply_fault(s, 500, "5.5.6", "Line too long");
	return on_result(s, SMTP_AUTH_BAD_BASE64);
}

enum smtp_step smtp_login_read(struct smtp *s)
{
	enum smtp_step step = SMTP_NEED_INPUT;

	while (s->phase == SMTP_PHASE_AUTH) {
		size_t used;
		bool whole = smtp_line_read(&s->auth_line, buf_head(s->in), s->in->len,
					    SMTP_AUTH_LINE_MAX, &used);

		/* What stays in memory may be told by another fault (Heartbleed). */
		if (used)
			explicit_bzero(buf_head(s->in), used);
		buf_consume(s->in, used);
		if (!whole)
			return SMTP_NEED_INPUT;
		step = take_line(s);
		smtp_line_wipe(&s->auth_line);
	}
	return step;
}

enum smtp_step smtp_login_on_auth(struct smtp *s)
{
	char line[VERDICT_LINE_MAX + 1];
	const char *failure = smtp_auth_failure(&s->auth);

	smtp_auth_wipe(&s->auth);
	s->reply.auth = &s->auth.facts;
	if (s->verdict->kind == VERDICT_ACCEPT) {
		s->authenticated = true;
		return smtp_reply_send(s, 235, "2.7.0",
				       smtp_verdict_line(s, line, "Authentication succeeded"));
	}
	if (!failure || s->verdict->kind != VERDICT_REJECT)
		return refuse(s);
	s->auth_ending = true;
	return go_on(s, challenge(s, failure));
}

void smtp_login_mask_line(struct smtp *s)
{
	struct smtp_line *line = &s->line;
	size_t start = strlen("AUTH"), end;

	while (start < line->len && line->text[start] == ' ')
		start++;
	for (end = start; end < line->len && line->text[end] != ' ';)
		end++;
	if (end == start)
		return;
	/* A word that is no mechanism may be a password in the wrong place. */
	if (!smtp_auth_find((struct octets){line->text + start, end - start}))
		end = start - 1;
	if (end == line->len)
		return;
	explicit_bzero(line->text + end, line->len - end);
	memcpy(line->text + end, " *", 2);
	line->len = end + 2;
}
