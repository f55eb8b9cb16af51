/* The command table, and the commands that are no part of a transaction. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "smtp_engine.h"
#include "smtp_extensions.h"
#include "smtp_offer.h"
#include "smtp_reply.h"

/* What a command may carry. */
enum argument {
	ARGUMENT_NONE,
	ARGUMENT_NAME, /* must be there; controls are a fault of the argument, not of the line */
	ARGUMENT_PATH, /* must be there; the command judges octets above 127 */
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
	NEED_NO_CHUNK = 1 << 5,
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

/* RFC 2033 4.1: EHLO by another name. */
static enum smtp_step lhlo(struct smtp *s, struct octets argument)
{
	return ask_helo(s, "LHLO", argument);
}

enum smtp_step smtp_commands_on_ehlo(struct smtp *s)
{
	char line[VERDICT_LINE_MAX + 1], text[512];
	struct smtp_helo *forgotten = s->helo;

	/* RFC 5321 4.1.4: after a refusal the session is what it was before the command. */
	if (s->verdict->kind != VERDICT_ACCEPT)
		return smtp_reply_refusal(s, HOOK_EHLO);
	smtp_end_transaction(s);
	s->helo = s->new_helo; /* s->reply.helo still points there */
	s->new_helo = NULL;
	s->helo_said = true;
	free(forgotten);
	snprintf(text, sizeof text, "%s%s%s", s->settings->hostname, s->verdict->text ? " " : "",
		 smtp_verdict_line(s, line, ""));
	if (s->reply.verb == SMTP_HELO)
		return smtp_reply_send(s, 250, "", text);
	return smtp_extensions_send(s, text);
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
	if (s->line.fault == SMTP_LINE_EIGHT_BIT && !smtp_envelope_says_smtputf8(s, argument))
		return smtp_reply_fault(s, 553, "5.6.7", "A non-ASCII address needs SMTPUTF8");
	return smtp_reply_send(s, 252, "2.5.0", "Cannot verify; send some mail");
}

static enum smtp_step expn(struct smtp *s, struct octets argument)
{
	(void)argument;
	return smtp_reply_fault(s, 502, "5.5.1", "Not implemented");
}

/* It reads the table, so it stands behind it. */
static enum smtp_step help(struct smtp *s, struct octets argument);

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
	{"LHLO",     SMTP_LHLO,     ARGUMENT_NAME, true,  0,                        lhlo},
	{"STARTTLS", SMTP_STARTTLS, ARGUMENT_NONE, true,  NEED_CLEAR,               smtp_greeting_starttls},
	{"MAIL",     SMTP_MAIL,     ARGUMENT_PATH, false, NEED_HELO | NEED_NO_MAIL, smtp_envelope_mail},
	{"AUTH",     SMTP_AUTH,     ARGUMENT_TEXT, false, NEED_HELO,                smtp_login_auth},
	{"RCPT",     SMTP_RCPT,     ARGUMENT_PATH, false, NEED_MAIL | NEED_NO_CHUNK, smtp_envelope_rcpt},
	{"DATA",     SMTP_DATA,     ARGUMENT_NONE, false, NEED_MAIL | NEED_NO_CHUNK | NEED_RCPT, smtp_message_data},
	{"BDAT",     SMTP_BDAT,     ARGUMENT_FREE, false, NEED_MAIL | NEED_RCPT,    NULL},
	{"RSET",     SMTP_RSET,     ARGUMENT_NONE, false, 0,                        rset},
	{"NOOP",     SMTP_NOOP,     ARGUMENT_FREE, true,  0,                        noop},
	{"VRFY",     SMTP_VRFY,     ARGUMENT_PATH, false, 0,                        vrfy},
	{"EXPN",     SMTP_EXPN,     ARGUMENT_FREE, false, 0,                        expn},
	{"HELP",     SMTP_HELP,     ARGUMENT_FREE, false, 0,                        help},
	{"QUIT",     SMTP_QUIT,     ARGUMENT_NONE, true,  0,                        quit},
	{"XCLIENT",  SMTP_XCLIENT,  ARGUMENT_FREE, false, 0,                        smtp_client_xclient},
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

/* Whether the command is of use on this listener. */
static bool is_here(const struct smtp *s, enum smtp_verb verb)
{
	switch (verb) {
	case SMTP_EHLO:
	case SMTP_HELO:
		return !s->settings->lmtp;
	case SMTP_LHLO:
		return s->settings->lmtp;
	case SMTP_STARTTLS:
		return s->settings->starttls;
	case SMTP_AUTH:
		return s->settings->auth;
	case SMTP_BDAT: /* a message that has begun with it goes on with it */
		return smtp_offers_chunking(s) || s->message.by_chunks;
	case SMTP_XCLIENT:
		return s->xclient_allowed;
	case SMTP_EXPN:
		return false;
	default:
		return true;
	}
}

static enum smtp_step help(struct smtp *s, struct octets argument)
{
	char text[256];
	size_t len = 0;

	(void)argument;
	for (size_t i = 0; i < LENGTH(table); i++)
		if (is_here(s, table[i].verb))
			len += (size_t)snprintf(text + len, sizeof text - len, "%s%s",
						len ? " " : "", table[i].word);
	return smtp_reply_send(s, 214, "2.0.0", text);
}

/* --- what is checked before a command runs --- */

static const char *find_missing(const struct smtp *s, unsigned needs)
{
	const struct smtp_transaction *t = &s->transaction;
	bool mail = smtp_transaction_is_open(t);
	const struct {
		unsigned need;
		bool have;
		const char *text;
	} facts[] = {
		{NEED_CLEAR, !s->secure, "TLS is already active"},
		{NEED_HELO, s->helo_said, s->settings->lmtp ? "Say LHLO first" : "Say EHLO first"},
		{NEED_NO_MAIL, !mail, "The sender was already given"},
		{NEED_MAIL, mail, "Say MAIL first"},
		{NEED_NO_CHUNK, !s->message.by_chunks, "The message has begun with BDAT"},
		{NEED_RCPT, t->tried, "Say RCPT first"},
	};

	for (size_t i = 0; i < LENGTH(facts); i++)
		if ((needs & facts[i].need) && !facts[i].have)
			return facts[i].text;
	return NULL;
}

/* RFC 5321 wins over the plan here: X.5.6 is registered for exchanges of AUTH only, so any other
 * line too long is a 5.5.2 as any other line that is no command. */
static struct smtp_problem find_line_problem(const struct smtp *s, const struct command *command)
{
	switch (s->line.fault) {
	case SMTP_LINE_TOO_LONG:
		return (struct smtp_problem){
			500, command && command->verb == SMTP_AUTH ? "5.5.6" : "5.5.2",
			"Line too long"};
	case SMTP_LINE_BARE_NEWLINE:
		return (struct smtp_problem){500, "5.5.2", "Lines must end in CR LF"};
	case SMTP_LINE_CONTROL:
		if (command && command->argument == ARGUMENT_NAME)
			return (struct smtp_problem){501, "5.5.4",
						     "Control characters in the name"};
		return (struct smtp_problem){500, "5.5.2", "Control characters in a command"};
	case SMTP_LINE_EIGHT_BIT:
	case SMTP_LINE_GOOD:
		break;
	}
	return (struct smtp_problem){500, "5.5.2", "Octets above 127 in a command"};
}

static bool is_readable(const struct smtp *s, const struct command *command)
{
	if (s->line.fault == SMTP_LINE_EIGHT_BIT)
		return command && command->argument == ARGUMENT_PATH;
	return s->line.fault == SMTP_LINE_GOOD;
}

/* As if the word meant nothing: what it means is not offered. */
static bool is_unknown_here(const struct smtp *s, enum smtp_verb verb)
{
	return verb == SMTP_AUTH && !is_here(s, verb);
}

/* Why the command cannot run; code 0: it can. */
static struct smtp_problem find_problem(const struct smtp *s, const struct command *command,
					struct octets argument)
{
	const char *missing;

	if (s->refused && s->reply.verb != SMTP_QUIT)
		return (struct smtp_problem){503, "5.5.1", "Refused; say QUIT"};
	if (!is_readable(s, command))
		return find_line_problem(s, command);
	if (!command || is_unknown_here(s, command->verb))
		return (struct smtp_problem){500, "5.5.2", "Command unrecognized"};
	/* RFC 2033 4.1: 500 it must be. */
	if (s->settings->lmtp && (command->verb == SMTP_EHLO || command->verb == SMTP_HELO))
		return (struct smtp_problem){500, "5.5.1", "This is LMTP, say LHLO"};
	/* RFC 5321 4.2.4: 502, not 500, for what is understood. It must be, or else the octets
	 * behind it would be commands. */
	if (command->verb == SMTP_BDAT && !is_here(s, SMTP_BDAT))
		return (struct smtp_problem){502, "5.5.1", "CHUNKING is not offered"};
	if (s->settings->require_tls && !s->secure && !command->before_tls)
		return (struct smtp_problem){530, "5.7.0", "Say STARTTLS first"};
	missing = find_missing(s, command->needs);
	if (missing)
		return (struct smtp_problem){503, "5.5.1", missing};
	if (command->argument == ARGUMENT_NONE && argument.len)
		return (struct smtp_problem){501, "5.5.4", "No argument allowed"};
	if (command->argument != ARGUMENT_NONE && command->argument != ARGUMENT_FREE &&
	    !argument.len)
		return (struct smtp_problem){501, "5.5.4", "Argument missing"};
	return (struct smtp_problem){0};
}

static enum smtp_step run(struct smtp *s, const struct command *command, struct octets argument)
{
	struct smtp_problem problem = find_problem(s, command, argument);

	/* What comes behind BDAT is no command, whatever becomes of it. */
	if (command && command->verb == SMTP_BDAT)
		return smtp_bdat_command(s, argument, problem);
	if (problem.code)
		return smtp_reply_fault(s, problem.code, problem.status, problem.text);
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

static enum smtp_step refuse_later(struct smtp *s, struct octets argument)
{
	s->refused_later = false;
	s->refused = true;
	if (s->reply.verb == SMTP_BDAT)
		return smtp_bdat_refuse(s, argument);
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
	if (command && command->verb == SMTP_LHLO && !s->settings->lmtp)
		command = NULL;
	s->reply.verb = command ? command->verb : SMTP_UNKNOWN;
	if (s->commands > s->settings->commands)
		return smtp_reply_closing(s, DISCONNECT_COMMANDS);
	if (n < len && is_http(text, n)) {
		s->reply.violation = "not_smtp";
		return smtp_reply_closing(s, DISCONNECT_NOT_SMTP);
	}
	while (n < len && text[n] == ' ')
		n++;
	if (s->refused_later && s->reply.verb != SMTP_QUIT)
		return refuse_later(s, (struct octets){text + n, len - n});
	return run(s, command, (struct octets){text + n, len - n});
}

const char *smtp_commands_violation(enum smtp_line_fault fault)
{
	if (fault == SMTP_LINE_TOO_LONG)
		return "line_too_long";
	return fault == SMTP_LINE_BARE_NEWLINE ? "bare_newline" : NULL;
}

/* RFC 4954 section 4: an initial response may be longer than any other command. */
static bool begins_with_auth(const struct smtp *s)
{
	return s->in->len >= 5 && text_is(buf_head(s->in), 5, "AUTH ");
}

enum smtp_step smtp_commands_read(struct smtp *s)
{
	bool auth = begins_with_auth(s);
	size_t used, max = auth && smtp_login_is_offered(s) ? SMTP_AUTH_LINE_MAX : SMTP_LINE_MAX;
	bool whole;

	/* A client that sends commands and never reads replies would fill all memory. */
	if (s->out->len > SMTP_OUT_MAX / 2)
		return SMTP_NEED_INPUT;
	whole = smtp_line_read(&s->line, buf_head(s->in), s->in->len, max, &used);
	if (auth && used)
		explicit_bzero(buf_head(s->in), used);
	buf_consume(s->in, used);
	if (!whole)
		return SMTP_NEED_INPUT;
	s->reply.violation = smtp_commands_violation(s->line.fault);
	s->commands++;
	return dispatch(s);
}
