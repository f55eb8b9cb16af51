/* MAIL and RCPT. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "protocol/utf8.h"
#include "smtp_dsn.h"
#include "smtp_engine.h"
#include "smtp_offer.h"
#include "smtp_reply.h"
#include "smtp_xtext.h"

static const struct smtp_problem bad_params = {501, "5.5.4", "Bad parameters"};

static const struct smtp_problem unknown_param = {555, "5.5.4", "Unknown parameter"};

static const struct smtp_problem eight_bit = {500, "5.5.2", "Octets above 127 in a command"};

/* "FROM:" or "TO:", the path, the parameters. Blanks after the colon are wrong by RFC 5321 3.3, yet
 * common enough in honest mail that they are let pass. */
static struct smtp_problem parse(const struct smtp *s, enum smtp_path_kind kind,
				 struct octets argument, struct smtp_path *path,
				 struct smtp_params *params)
{
	/* No extension gives such octets a meaning where nothing else has one. */
	bool eight = s->line.fault == SMTP_LINE_EIGHT_BIT;
	bool reverse = kind == SMTP_PATH_REVERSE;
	const char *keyword = reverse ? "FROM:" : "TO:";
	const char *end = argument.data + argument.len;
	const char *at = argument.data + strlen(keyword);

	if (argument.len < strlen(keyword) || !text_is(argument.data, strlen(keyword), keyword))
		return eight ? eight_bit
			     : (struct smtp_problem){501, "5.5.4",
						     reverse ? "Expected FROM:" : "Expected TO:"};
	while (at < end && *at == ' ')
		at++;
	if (!smtp_path_parse(kind, at, (size_t)(end - at), path))
		return (struct smtp_problem){501, reverse ? "5.1.7" : "5.1.3",
					     "Bad address syntax"};
	at += path->used;
	switch (smtp_params_parse(at, (size_t)(end - at), params)) {
	case SMTP_PARAMS_GOOD:
		break;
	case SMTP_PARAMS_BAD:
		return eight ? eight_bit : bad_params;
	case SMTP_PARAMS_DUPLICATE:
		return (struct smtp_problem){501, "5.5.4", "Parameter given twice"};
	}
	return (struct smtp_problem){0};
}

static enum smtp_step refuse(struct smtp *s, struct smtp_problem problem)
{
	return smtp_reply_fault(s, problem.code, problem.status, problem.text);
}

/* --- octets above 127: RFC 6531 --- */

bool smtp_envelope_is_utf8(struct octets text)
{
	for (size_t at = 0, n; at < text.len; at += n) {
		n = utf8_length(text.data + at, text.len - at);
		if (!n)
			return false;
	}
	return true;
}

/* What may be there is known only when the parameters are: SMTPUTF8 stands behind the sender's
 * path, and holds for the recipients too. UTF-8 is taken as it is, in any normal form: the mailbox
 * and the domain are compared by others. */
static struct smtp_problem check_utf8(const struct smtp *s, struct octets argument,
				      const struct smtp_path *path, bool allowed)
{
	if (s->line.fault != SMTP_LINE_EIGHT_BIT)
		return (struct smtp_problem){0};
	if (!allowed && path->eight_bit)
		return (struct smtp_problem){553, "5.6.7", "A non-ASCII address needs SMTPUTF8"};
	if (!allowed)
		return eight_bit;
	if (!smtp_envelope_is_utf8(argument))
		return (struct smtp_problem){501, "5.5.2", "Not UTF-8"};
	return (struct smtp_problem){0};
}

/* RFC 6531 3.7.4.2: VRFY may end in SMTPUTF8, and be in UTF-8 then. */
bool smtp_envelope_says_smtputf8(const struct smtp *s, struct octets argument)
{
	static const char word[] = " SMTPUTF8";
	const size_t len = sizeof word - 1;

	return smtp_offers_smtputf8(s) && argument.len > len &&
	       text_is(argument.data + argument.len - len, len, word);
}

bool smtp_envelope_has_smtputf8(const struct hook_param *params, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text_is(params[i].name.data, params[i].name.len, "SMTPUTF8"))
			return true;
	return false;
}

/* --- parameters --- */

/* A parameter of an extension that was not offered is an unknown one: to ignore it would be to
 * promise what it asks for. */
struct parameter {
	const char *name;
	bool (*is_offered)(const struct smtp *s); /* NULL: always */
	struct smtp_problem (*check)(const struct smtp *s, struct octets value);
};

static struct smtp_problem unless(bool good)
{
	return good ? (struct smtp_problem){0} : bad_params;
}

static struct smtp_problem check_flag(const struct smtp *s, struct octets value)
{
	(void)s;
	return unless(!value.data);
}

/* RFC 1870 */
static struct smtp_problem check_size(const struct smtp *s, struct octets value)
{
	uint64_t size;

	if (!smtp_params_size(value, &size))
		return bad_params;
	if (size > smtp_offers_size(s))
		return (struct smtp_problem){552, "5.3.4", "Message too large"};
	return (struct smtp_problem){0};
}

/* A value that an extension adds to another one's parameter is its own. */
static struct smtp_problem unless_offered(bool offered)
{
	return offered ? (struct smtp_problem){0} : unknown_param;
}

/* RFC 6152, RFC 3030 */
static struct smtp_problem check_body(const struct smtp *s, struct octets value)
{
	if (text_is(value.data, value.len, "8BITMIME"))
		return unless_offered(smtp_offers_eight_bit(s));
	if (text_is(value.data, value.len, "BINARYMIME"))
		return unless_offered(smtp_offers_binary(s));
	return unless(text_is(value.data, value.len, "7BIT"));
}

static bool has_body(const struct smtp *s)
{
	return smtp_offers_eight_bit(s) || smtp_offers_binary(s);
}

/* RFC 4954 section 5: whom another server holds for the author. It is told to the services, and
 * nobody here believes it. */
static struct smtp_problem check_auth(const struct smtp *s, struct octets value)
{
	char text[500]; /* RFC 4954 section 3 */
	size_t len;

	(void)s;
	return unless(value.len &&
		      smtp_xtext_decode(value.data, value.len, text, sizeof text, &len));
}

static struct smtp_problem check_ret(const struct smtp *s, struct octets value)
{
	(void)s;
	return unless(smtp_dsn_ret(value));
}

static struct smtp_problem check_envid(const struct smtp *s, struct octets value)
{
	(void)s;
	return unless(smtp_dsn_envid(value));
}

static struct smtp_problem check_notify(const struct smtp *s, struct octets value)
{
	(void)s;
	return unless(smtp_dsn_notify(value));
}

static struct smtp_problem check_orcpt(const struct smtp *s, struct octets value)
{
	(void)s;
	return unless(smtp_dsn_orcpt(value));
}

static const struct parameter mail_parameters[] = {
	{"SIZE", NULL, check_size},
	{"BODY", has_body, check_body},
	{"SMTPUTF8", smtp_offers_smtputf8, check_flag},
	{"RET", smtp_offers_dsn, check_ret},
	{"ENVID", smtp_offers_dsn, check_envid},
	{"REQUIRETLS", smtp_offers_requiretls, check_flag},
	{"AUTH", smtp_login_is_offered, check_auth},
	{0},
};

static const struct parameter rcpt_parameters[] = {
	{"NOTIFY", smtp_offers_dsn, check_notify},
	{"ORCPT", smtp_offers_dsn, check_orcpt},
	{0},
};

static struct smtp_problem check_param(const struct smtp *s, const struct parameter *table,
				       const struct hook_param *param)
{
	for (; table->name; table++)
		if (text_is(param->name.data, param->name.len, table->name) &&
		    (!table->is_offered || table->is_offered(s)))
			return table->check(s, param->value);
	return unknown_param;
}

/* The first that is wrong. */
static struct smtp_problem check_params(const struct smtp *s, const struct parameter *table,
					const struct smtp_params *params)
{
	struct smtp_problem problem = {0};

	for (size_t i = 0; i < params->len && !problem.code; i++)
		problem = check_param(s, table, &params->list[i]);
	return problem;
}

/* --- the commands --- */

enum smtp_step smtp_envelope_mail(struct smtp *s, struct octets argument)
{
	struct smtp_path path;
	struct smtp_params params;
	struct smtp_problem problem = parse(s, SMTP_PATH_REVERSE, argument, &path, &params);

	if (s->messages >= s->settings->messages)
		return smtp_reply_closing(s, DISCONNECT_MESSAGES);
	if (!problem.code)
		problem = check_utf8(s, argument, &path,
				     smtp_offers_smtputf8(s) &&
					     smtp_envelope_has_smtputf8(params.list, params.len));
	if (problem.code)
		return refuse(s, problem);
	s->mailbox = smtp_mailbox_new(&path, &params);
	s->reply.mailbox = &s->mailbox->facts;
	problem = check_params(s, mail_parameters, &params);
	if (problem.code)
		return refuse(s, problem);
	return smtp_ask(s, HOOK_MAIL);
}

enum smtp_step smtp_envelope_on_mail(struct smtp *s)
{
	if (smtp_is_refused(s))
		return smtp_reply_refusal(s, HOOK_MAIL);
	smtp_transaction_begin(&s->transaction, s->new_sender ? &s->new_sender : &s->mailbox);
	s->transaction.discarded = s->reply.discarded = s->verdict->kind == VERDICT_DISCARD;
	return smtp_reply_accept(s, HOOK_MAIL, 250, "2.1.0", "Sender OK");
}

/* The relay rule. No service can lift it: an open relay would be one wrong "accept" away. "%" and
 * "!" in the local part mean nothing here, so user%elsewhere@ours is a mailbox of ours. Only the
 * case of ASCII letters is ignored: a U-label must be listed as it is sent. */
bool smtp_envelope_may_receive(const struct smtp *s, const struct smtp_path *path)
{
	const struct smtp_settings *settings = s->settings;

	if (settings->accept_any || !path->domain.len) /* <postmaster>: RFC 5321 4.5.1 */
		return true;
	if (s->relay_allowed || s->authenticated)
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
	struct smtp_problem problem = parse(s, SMTP_PATH_FORWARD, argument, &path, &params);
	const struct hook_mailbox *sender = &s->transaction.sender->facts;

	s->transaction.tried++;
	if (!problem.code)
		problem =
			check_utf8(s, argument, &path,
				   smtp_envelope_has_smtputf8(sender->params, sender->params_len));
	if (problem.code)
		return refuse(s, problem);
	s->mailbox = smtp_mailbox_new(&path, &params);
	s->reply.mailbox = &s->mailbox->facts;
	problem = check_params(s, rcpt_parameters, &params);
	if (problem.code)
		return refuse(s, problem);
	if (!smtp_envelope_may_receive(s, &path))
		return smtp_reply_fault(s, 550, "5.7.1", "Relay access denied");
	/* RFC 5321 4.5.3.1.10: 452, so that the client sends the message again to the others. It is
	 * no fault. */
	if (s->transaction.accepted >= smtp_offers_recipients(s))
		return smtp_reply_send(s, 452, "4.5.3", "Too many recipients");
	return smtp_ask(s, HOOK_RCPT);
}

enum smtp_step smtp_envelope_on_rcpt(struct smtp *s)
{
	if (smtp_is_refused(s))
		return smtp_reply_refusal(s, HOOK_RCPT);
	s->mailbox->discarded = s->verdict->kind == VERDICT_DISCARD;
	s->reply.discarded = s->mailbox->discarded || s->transaction.discarded;
	if (s->settings->recipients_asked && !s->reply.discarded)
		return smtp_delivery_ask_recipient(s);
	return smtp_envelope_take_recipient(s, 250, "2.1.5", "Recipient OK");
}

enum smtp_step smtp_envelope_take_recipient(struct smtp *s, int code, const char *status,
					    const char *text)
{
	smtp_transaction_accept(&s->transaction, &s->mailbox);
	return smtp_reply_accept(s, HOOK_RCPT, code, status, text);
}
