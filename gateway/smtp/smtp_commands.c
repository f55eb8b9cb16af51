/* The command table, and the commands that are no part of a transaction. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "smtp_engine.h"
#include "smtp_reply.h"

/* What a command may carry. */
enum argument {
	ARGUMENT_NONE,
	ARGUMENT_NAME, /* must be there; controls are a fault of the argument, not of the line */
	ARGUMENT_PATH, /* must be there; the path's parser judges octets above 127 */
	ARGUMENT_TEXT, /* must be there */
	ARGUMENT_FREE, /* anything or nothing */
};

/* Facts that a command wants to be true, in the order in which their absence is told. */
enum {
	NEED_CLEAR = 1 << 0,
	NEED_HELO = 1 << 1,
	NEED_NO_MAIL = 1 << 2,
	NEED_MAIL = 1 << 3,
	NEED_RCPT = 1 << 4,
};

struct command {
	const char *word;
	enum smtp_verb verb;
	enum argument argument;
	bool before_tls; /* works where TLS is required: RFC 3207 4, which HELO is not in */
	unsigned needs;
	enum smtp_step (*run)(struct smtp *s, struct octets argument);
};

/* --- the commands --- */

/* RFC 5321 4.1.1.1. The name is the services' to judge: many honest clients know none. */
static enum smtp_step ask_helo(struct smtp *s, const char *verb, struct octets name)
{
	s->new_helo = mem_new(sizeof *s->new_helo + name.len);
	memcpy(s->new_helo->name, name.data, name.len);
	s->new_helo->facts = (struct hook_helo){verb, {s->new_helo->name, name.len}};
	s->reply.helo = &s->new_helo->facts;
	return smtp_ask(s, HOOK_EHLO);
}

static enum smtp_step ehlo(struct smtp *s, struct octets argument)
{
	return ask_helo(s, "EHLO", argument);
}

static enum smtp_step helo(struct smtp *s, struct octets argument)
{
	return ask_helo(s, "HELO", argument);
}

static enum smtp_step send_extensions(struct smtp *s, const char *greeting)
{
	bool starttls = s->settings->starttls && !s->secure;
	char text[1024 + VERDICT_LINE_MAX];

	snprintf(text, sizeof text, "%s\nPIPELINING\nSIZE %llu\n8BITMIME\nENHANCEDSTATUSCODES%s",
		 greeting, (unsigned long long)s->settings->message_size,
		 starttls ? "\nSTARTTLS" : "");
	return smtp_reply_send(s, 250, "", text);
}

enum smtp_step smtp_commands_on_ehlo(struct smtp *s)
{
	char line[VERDICT_LINE_MAX + 1], text[512];
	struct smtp_helo *forgotten = s->helo;

	/* RFC 5321 4.1.4: after a refusal the session is what it was before the command. */
	if (s->verdict.kind != VERDICT_ACCEPT)
		return smtp_reply_refusal(s, HOOK_EHLO);
	smtp_end_transaction(s);
	s->helo = s->new_helo; /* s->reply.helo still points there */
	s->new_helo = NULL;
	free(forgotten);
	snprintf(text, sizeof text, "%s%s%s", s->settings->hostname, s->verdict.text ? " " : "",
		 smtp_verdict_line(s, line, ""));
	if (s->reply.verb == SMTP_HELO)
		return smtp_reply_send(s, 250, "", text);
	return send_extensions(s, text);
}

static enum smtp_step rset(struct smtp *s, struct octets argument)
{
	(void)argument;
	smtp_end_transaction(s);
	return smtp_reply_send(s, 250, "2.0.0", "OK");
}

static enum smtp_step noop(struct smtp *s, struct octets argument)
{
	(void)argument;
	return smtp_reply_send(s, 250, "2.0.0", "OK");
}

/* RFC 5321 7.3: it never tells which mailboxes there are. */
static enum smtp_step vrfy(struct smtp *s, struct octets argument)
{
	(void)argument;
	return smtp_reply_send(s, 252, "2.5.0", "Cannot verify; send some mail");
}

static enum smtp_step expn(struct smtp *s, struct octets argument)
{
	(void)argument;
	return smtp_reply_fault(s, 502, "5.5.1", "Not implemented");
}

static enum smtp_step help(struct smtp *s, struct octets argument)
{
	(void)argument;
	return smtp_reply_send(s, 214, "2.0.0",
			       "EHLO HELO STARTTLS MAIL RCPT DATA RSET NOOP VRFY HELP QUIT");
}

static enum smtp_step quit(struct smtp *s, struct octets argument)
{
	char text[512];

	(void)argument;
	snprintf(text, sizeof text, "%s closing connection", s->settings->hostname);
	return smtp_reply_last(s, 221, "2.0.0", text, DISCONNECT_QUIT);
}

/* --- the table --- */

/* clang-format off */
static const struct command table[] = {
	/* word       verb           argument       before TLS  needs                              */
	{"EHLO",     SMTP_EHLO,     ARGUMENT_NAME, true,  0,                        ehlo},
	{"HELO",     SMTP_HELO,     ARGUMENT_NAME, false, 0,                        helo},
	{"STARTTLS", SMTP_STARTTLS, ARGUMENT_NONE, true,  NEED_CLEAR,               smtp_greeting_starttls},
	{"MAIL",     SMTP_MAIL,     ARGUMENT_PATH, false, NEED_HELO | NEED_NO_MAIL, smtp_envelope_mail},
	{"RCPT",     SMTP_RCPT,     ARGUMENT_PATH, false, NEED_MAIL,                smtp_envelope_rcpt},
	{"DATA",     SMTP_DATA,     ARGUMENT_NONE, false, NEED_MAIL | NEED_RCPT,    smtp_message_data},
	{"RSET",     SMTP_RSET,     ARGUMENT_NONE, false, 0,                        rset},
	{"NOOP",     SMTP_NOOP,     ARGUMENT_FREE, true,  0,                        noop},
	{"VRFY",     SMTP_VRFY,     ARGUMENT_TEXT, false, 0,                        vrfy},
	{"EXPN",     SMTP_EXPN,     ARGUMENT_FREE, false, 0,                        expn},
	{"HELP",     SMTP_HELP,     ARGUMENT_FREE, false, 0,                        help},
	{"QUIT",     SMTP_QUIT,     ARGUMENT_NONE, true,  0,                        quit},
};
/* clang-format on */

#define LENGTH(array) (sizeof(array) / sizeof *(array))

const char *smtp_verb_word(enum smtp_verb verb)
{
	for (size_t i = 0; i < LENGTH(table); i++)
		if (table[i].verb == verb)
			return table[i].word;
	return verb == SMTP_MESSAGE ? "MESSAGE" : verb == SMTP_GREETING ? "GREETING" : "UNKNOWN";
}

static const struct command *find_command(const char *word, size_t len)
{
	for (size_t i = 0; i < LENGTH(table); i++)
		if (text_is(word, len, table[i].word))
			return &table[i];
	return NULL;
}

/* --- what is checked before a command runs --- */

static enum smtp_step check_facts(struct smtp *s, unsigned needs, bool *right)
{
	const struct smtp_transaction *t = &s->transaction;
	bool mail = smtp_transaction_is_open(t);
	const struct {
		unsigned need;
		bool have;
		const char *text;
	} facts[] = {
		{NEED_CLEAR, !s->secure, "TLS is already active"},
		{NEED_HELO, s->helo, "Say EHLO first"},
		{NEED_NO_MAIL, !mail, "The sender was already given"},
		{NEED_MAIL, mail, "Say MAIL first"},
		{NEED_RCPT, t->tried, "Say RCPT first"},
	};

	*right = true;
	for (size_t i = 0; i < LENGTH(facts); i++) {
		if ((needs & facts[i].need) && !facts[i].have) {
			*right = false;
			return smtp_reply_fault(s, 503, "5.5.1", facts[i].text);
		}
	}
	return SMTP_NEED_INPUT;
}

/* RFC 5321 wins over the plan here: X.5.6 is registered for exchanges of AUTH only, so a line too
 * long is a 5.5.2 as any other line that is no command. */
static enum smtp_step refuse_line(struct smtp *s, const struct command *command)
{
	switch (s->line.fault) {
	case SMTP_LINE_TOO_LONG:
		return smtp_reply_fault(s, 500, "5.5.2", "Line too long");
	case SMTP_LINE_BARE_NEWLINE:
		return smtp_reply_fault(s, 500, "5.5.2", "Lines must end in CR LF");
	case SMTP_LINE_CONTROL:
		if (command && command->argument == ARGUMENT_NAME)
			return smtp_reply_fault(s, 501, "5.5.4", "Control characters in the name");
		return smtp_reply_fault(s, 500, "5.5.2", "Control characters in a command");
	case SMTP_LINE_EIGHT_BIT:
	case SMTP_LINE_GOOD:
		break;
	}
	return smtp_reply_fault(s, 500, "5.5.2", "Octets above 127 in a command");
}

static bool is_readable(const struct smtp *s, const struct command *command)
{
	if (s->line.fault == SMTP_LINE_EIGHT_BIT)
		return command && command->argument == ARGUMENT_PATH;
	return s->line.fault == SMTP_LINE_GOOD;
}

static enum smtp_step run(struct smtp *s, const struct command *command, struct octets argument)
{
	bool right;
	enum smtp_step step;

	if (!is_readable(s, command))
		return refuse_line(s, command);
	if (!command)
		return smtp_reply_fault(s, 500, "5.5.2", "Command unrecognized");
	if (s->settings->require_tls && !s->secure && !command->before_tls)
		return smtp_reply_fault(s, 530, "5.7.0", "Say STARTTLS first");
	step = check_facts(s, command->needs, &right);
	if (!right)
		return step;
	if (command->argument == ARGUMENT_NONE && argument.len)
		return smtp_reply_fault(s, 501, "5.5.4", "No argument allowed");
	if (command->argument != ARGUMENT_NONE && command->argument != ARGUMENT_FREE &&
	    !argument.len)
		return smtp_reply_fault(s, 501, "5.5.4", "Argument missing");
	return command->run(s, argument);
}

/* A web browser can be made to send a form to any port, with lines of the attacker's choice behind
 * the HTTP header (cross-protocol attacks; ALPACA does it under TLS). None of these words is an
 * SMTP verb. */
static bool is_http(const char *word, size_t len)
{
	static const char *const methods[] = {"GET",	 "HEAD",    "POST",  "PUT",   "DELETE",
					      "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI"};

	for (size_t i = 0; i < LENGTH(methods); i++)
		if (text_is(word, len, methods[i]))
			return true;
	return false;
}

static enum smtp_step refuse_later(struct smtp *s)
{
	s->refused_later = false;
	s->refused = true;
	return smtp_reply_refusal(s, HOOK_SECURE);
}

static enum smtp_step dispatch(struct smtp *s)
{
	size_t len = s->line.len, n;
	const char *text = s->line.text;
	const struct command *command;

	/* RFC 5321 4.1.1: white space before the CRLF is tolerated. */
	while (len && text[len - 1] == ' ')
		len--;
	for (n = 0; n < len && text[n] != ' ';)
		n++;
	command = find_command(text, n);
	s->reply.verb = command ? command->verb : SMTP_UNKNOWN;
	if (s->commands > s->settings->commands)
		return smtp_reply_closing(s, DISCONNECT_COMMANDS);
	if (n < len && is_http(text, n)) {
		s->reply.violation = "not_smtp";
		return smtp_reply_closing(s, DISCONNECT_NOT_SMTP);
	}
	if ((s->refused || s->refused_later) && s->reply.verb != SMTP_QUIT)
		return s->refused ? smtp_reply_fault(s, 503, "5.5.1", "Refused; say QUIT")
				  : refuse_later(s);
	while (n < len && text[n] == ' ')
		n++;
	return run(s, command, (struct octets){text + n, len - n});
}

static const char *find_violation(enum smtp_line_fault fault)
{
	if (fault == SMTP_LINE_TOO_LONG)
		return "line_too_long";
	return fault == SMTP_LINE_BARE_NEWLINE ? "bare_newline" : NULL;
}

enum smtp_step smtp_commands_read(struct smtp *s)
{
	size_t used;
	bool whole;

	/* A client that sends commands and never reads replies would fill all memory. */
	if (s->out->len > SMTP_OUT_MAX / 2)
		return SMTP_NEED_INPUT;
	whole = smtp_line_read(&s->line, buf_head(s->in), s->in->len, &used);
	buf_consume(s->in, used);
	if (!whole)
		return SMTP_NEED_INPUT;
	s->reply.violation = find_violation(s->line.fault);
	s->commands++;
	return dispatch(s);
}
