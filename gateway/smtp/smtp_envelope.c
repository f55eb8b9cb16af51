/* MAIL and RCPT. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "smtp_engine.h"
#include "smtp_reply.h"

/* What is wrong with a command's argument; code 0: nothing. */
struct problem {
	int code;
	const char *status, *text;
};

static const struct problem bad_params = {501, "5.5.4", "Bad parameters"};

/* "FROM:" or "TO:", the path, the parameters. Blanks after the colon are wrong by RFC 5321 3.3, yet
 * common enough in honest mail that they are let pass. */
static struct problem parse(enum smtp_path_kind kind, struct octets argument,
			    struct smtp_path *path, struct smtp_params *params)
{
	bool reverse = kind == SMTP_PATH_REVERSE;
	const char *keyword = reverse ? "FROM:" : "TO:";
	const char *end = argument.data + argument.len;
	const char *at = argument.data + strlen(keyword);

	if (argument.len < strlen(keyword) || !text_is(argument.data, strlen(keyword), keyword))
		return (struct problem){501, "5.5.4", reverse ? "Expected FROM:" : "Expected TO:"};
	while (at < end && *at == ' ')
		at++;
	switch (smtp_path_parse(kind, at, (size_t)(end - at), path)) {
	case SMTP_PATH_GOOD:
		break;
	case SMTP_PATH_BAD:
		return (struct problem){501, reverse ? "5.1.7" : "5.1.3", "Bad address syntax"};
	case SMTP_PATH_EIGHT_BIT:
		return (struct problem){553, "5.6.7", "Non-ASCII addresses are not supported"};
	}
	at += path->used;
	switch (smtp_params_parse(at, (size_t)(end - at), params)) {
	case SMTP_PARAMS_GOOD:
		break;
	case SMTP_PARAMS_BAD:
		return bad_params;
	case SMTP_PARAMS_DUPLICATE:
		return (struct problem){501, "5.5.4", "Parameter given twice"};
	}
	return (struct problem){0};
}

static enum smtp_step refuse(struct smtp *s, struct problem problem)
{
	/* A line with octets above 127 never parses. Outside a path no extension gives them a
	 * meaning. */
	if (s->line.fault == SMTP_LINE_EIGHT_BIT && problem.code != 553)
		return smtp_reply_fault(s, 500, "5.5.2", "Octets above 127 in a command");
	return smtp_reply_fault(s, problem.code, problem.status, problem.text);
}

static bool is_named(const struct hook_param *param, const char *name)
{
	return text_is(param->name.data, param->name.len, name);
}

static struct problem check_mail_param(const struct smtp *s, const struct hook_param *param)
{
	uint64_t size;

	if (is_named(param, "SIZE")) { /* RFC 1870 */
		if (!smtp_params_size(param->value, &size))
			return bad_params;
		if (size > s->settings->message_size)
			return (struct problem){552, "5.3.4", "Message too large"};
	} else if (is_named(param, "BODY")) { /* RFC 6152 */
		if (!text_is(param->value.data, param->value.len, "7BIT") &&
		    !text_is(param->value.data, param->value.len, "8BITMIME"))
			return bad_params;
	} else {
		return (struct problem){555, "5.5.4", "Unknown parameter"};
	}
	return (struct problem){0};
}

enum smtp_step smtp_envelope_mail(struct smtp *s, struct octets argument)
{
	struct smtp_path path;
	struct smtp_params params;
	struct problem problem = parse(SMTP_PATH_REVERSE, argument, &path, &params);

	if (s->messages >= s->settings->messages)
		return smtp_reply_closing(s, DISCONNECT_MESSAGES);
	if (problem.code)
		return refuse(s, problem);
	s->mailbox = smtp_mailbox_new(&path, &params);
	s->reply.mailbox = &s->mailbox->facts;
	for (size_t i = 0; i < params.len && !problem.code; i++)
		problem = check_mail_param(s, &params.list[i]);
	if (problem.code)
		return refuse(s, problem);
	return smtp_ask(s, HOOK_MAIL);
}

enum smtp_step smtp_envelope_on_mail(struct smtp *s)
{
	if (s->verdict.kind != VERDICT_ACCEPT)
		return smtp_reply_refusal(s, HOOK_MAIL);
	smtp_transaction_begin(&s->transaction, &s->mailbox);
	return smtp_reply_accept(s, HOOK_MAIL, 250, "2.1.0", "Sender OK");
}

/* The relay rule. No service can lift it: an open relay would be one wrong "accept" away. "%" and
 * "!" in the local part mean nothing here, so user%elsewhere@ours is a mailbox of ours. */
static bool is_ours(const struct smtp_settings *settings, const struct smtp_path *path)
{
	if (settings->accept_any || !path->domain.len) /* <postmaster>: RFC 5321 4.5.1 */
		return true;
	for (size_t i = 0; i < settings->accept_domains_len; i++)
		if (text_is(path->domain.data, path->domain.len, settings->accept_domains[i]))
			return true;
	return false;
}

enum smtp_step smtp_envelope_rcpt(struct smtp *s, struct octets argument)
{
	struct smtp_path path;
	struct smtp_params params;
	struct problem problem = parse(SMTP_PATH_FORWARD, argument, &path, &params);

	s->transaction.tried++;
	if (problem.code)
		return refuse(s, problem);
	s->mailbox = smtp_mailbox_new(&path, &params);
	s->reply.mailbox = &s->mailbox->facts;
	if (params.len)
		return smtp_reply_fault(s, 555, "5.5.4", "Unknown parameter");
	if (!is_ours(s->settings, &path))
		return smtp_reply_fault(s, 550, "5.7.1", "Relay access denied");
	/* RFC 5321 4.5.3.1.10: 452, so that the client sends the message again to the others. It is
	 * no fault. */
	if (s->transaction.recipients_len >= s->settings->recipients)
		return smtp_reply_send(s, 452, "4.5.3", "Too many recipients");
	return smtp_ask(s, HOOK_RCPT);
}

enum smtp_step smtp_envelope_on_rcpt(struct smtp *s)
{
	if (s->verdict.kind != VERDICT_ACCEPT)
		return smtp_reply_refusal(s, HOOK_RCPT);
	smtp_transaction_add(&s->transaction, &s->mailbox);
	return smtp_reply_accept(s, HOOK_RCPT, 250, "2.1.5", "Recipient OK");
}
