/* MAIL, RCPT, RSET: what of an envelope may be said to this server. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "relay_engine_state.h"

struct problem {
	int code;
	const char *status, *text;
};

static const struct problem none;

static const struct problem no_utf8 = {553, "5.6.7", "The next server has no SMTPUTF8"};

/* How a parameter fares: `passes`, else it is left out where the problem has no code. */
struct parameter {
	const char *name;
	bool (*passes)(const struct relay_engine *e, struct octets value);
	struct problem problem;
};

static bool never(const struct relay_engine *e, struct octets value)
{
	(void)e;
	(void)value;
	return false;
}

static bool has_dsn(const struct relay_engine *e, struct octets value)
{
	(void)value;
	return e->offer.dsn;
}

static bool has_utf8(const struct relay_engine *e, struct octets value)
{
	(void)value;
	return e->offer.smtputf8;
}

/* RFC 8689 section 4.2.1: the next server too must be one that is known for certain. */
static bool has_requiretls(const struct relay_engine *e, struct octets value)
{
	(void)value;
	return e->offer.requiretls && e->secure && e->verified;
}

static bool has_body(const struct relay_engine *e, struct octets value)
{
	if (text_is(value.data, value.len, "BINARYMIME"))
		return e->offer.binary;
	return e->offer.eight_bit;
}

static const struct parameter mail_parameters[] = {
	/* Its value is not that of what is sent, which is not known yet. */
	{"SIZE", never, {0}},
	/* RFC 4954 section 5: whom to believe is not for the next server to take from here. */
	{"AUTH", never, {0}},
	{"RET", has_dsn, {0}},
	{"ENVID", has_dsn, {0}},
	{"SMTPUTF8", has_utf8, {553, "5.6.7", "The next server has no SMTPUTF8"}},
	{"REQUIRETLS", has_requiretls, {550, "5.7.30", "The next server has no REQUIRETLS"}},
	/* RFC 6152 section 3: nobody here can convert. */
	{"BODY", has_body, {554, "5.6.3", "The next server does not take this kind of body"}},
	{0},
};

static const struct parameter rcpt_parameters[] = {
	{"NOTIFY", has_dsn, {0}},
	{"ORCPT", has_dsn, {0}},
	{0},
};

static bool has_octets(struct octets text, unsigned char from, unsigned char to)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] >= from && (unsigned char)text.data[i] <= to)
			return true;
	return false;
}

/* Octets that would end or split the command. Others have checked the syntax; this is the last
 * door. */
static bool is_unsafe(struct octets text)
{
	return has_octets(text, 0, 0x1f) || has_octets(text, 0x7f, 0x7f);
}

static bool is_eight_bit(struct octets text)
{
	return has_octets(text, 0x80, 0xff);
}

static struct problem add_param(const struct relay_engine *e, const struct parameter *table,
				const struct hook_param *param, struct buf *line)
{
	while (table->name && !text_is(param->name.data, param->name.len, table->name))
		table++;
	if (!table->name || is_unsafe(param->value) || has_octets(param->value, ' ', ' '))
		return (struct problem){555, "5.5.4", "Parameter not known to the relay"};
	/* What is in 7 bits needs nothing of the server. */
	if (!table->passes(e, param->value))
		return text_is(param->value.data, param->value.len, "7BIT") ? none : table->problem;
	if (is_eight_bit(param->value) && !e->offer.smtputf8)
		return no_utf8;
	buf_append_string(line, " ");
	buf_append_string(line, table->name);
	if (param->value.data) {
		buf_append_string(line, "=");
		buf_append(line, param->value.data, param->value.len);
	}
	return none;
}

/* Writes the command. `utf8`: octets above 127 may stand in its address. */
static struct problem make_line(const struct relay_engine *e, const char *command,
				const struct parameter *table, const struct hook_mailbox *mailbox,
				bool utf8, char **text)
{
	struct problem problem = none;
	struct buf line;

	if (is_unsafe(mailbox->address))
		return (struct problem){501, table == mail_parameters ? "5.1.7" : "5.1.3",
					"Bad address syntax"};
	if (!utf8 && is_eight_bit(mailbox->address))
		return no_utf8;
	buf_init(&line, RELAY_COMMAND_MAX);
	buf_append_string(&line, command);
	buf_append(&line, mailbox->address.data, mailbox->address.len);
	buf_append_string(&line, ">");
	for (size_t i = 0; i < mailbox->params_len && !problem.code; i++)
		problem = add_param(e, table, &mailbox->params[i], &line);
	buf_append_string(&line, "\r\n");
	if (line.overflow && !problem.code)
		problem = (struct problem){501, "5.5.4", "Too long for the next server"};
	if (!problem.code)
		*text = mem_copy_bytes(buf_head(&line), line.len);
	buf_fini(&line);
	return problem;
}

static struct relay_answer refusal_of(struct problem problem)
{
	struct relay_answer answer = {.code = problem.code};

	if (problem.code) {
		memcpy(answer.status, problem.status, strlen(problem.status));
		memcpy(answer.text, problem.text, strlen(problem.text));
	}
	return answer;
}

static const struct hook_param *find(const struct hook_mailbox *mailbox, const char *name)
{
	for (size_t i = 0; i < mailbox->params_len; i++)
		if (text_is(mailbox->params[i].name.data, mailbox->params[i].name.len, name))
			return &mailbox->params[i];
	return NULL;
}

void relay_engine_begin(struct relay_engine *e, const struct hook_mailbox *sender)
{
	const struct hook_param *body = find(sender, "BODY");

	assert(!e->transaction);
	e->transaction = true;
	e->mail_told = e->answered = false;
	e->asked = e->accepted = 0;
	/* RFC 6531 3.4: what is not announced for the transaction may not come in it. */
	e->utf8 = find(sender, "SMTPUTF8") && e->offer.smtputf8;
	e->binary = body && text_is(body->value.data, body->value.len, "BINARYMIME");
	e->sender =
		refusal_of(make_line(e, "MAIL FROM:<", mail_parameters, sender, e->utf8, &e->mail));
}

static void add_refusal(struct relay_engine *e, unsigned index, struct relay_answer answer)
{
	struct relay_ask *ask = relay_ask_add(e, RELAY_RCPT, NULL);

	ask->index = index;
	ask->refusal = mem_new(sizeof answer);
	*ask->refusal = answer;
}

void relay_engine_recipient(struct relay_engine *e, const struct hook_mailbox *recipient)
{
	struct problem problem;
	char *line = NULL;

	assert(e->transaction && !e->sending);
	if (e->sender.code) {
		add_refusal(e, e->asked++, e->sender);
		return;
	}
	problem = make_line(e, "RCPT TO:<", rcpt_parameters, recipient, e->utf8, &line);
	if (problem.code) {
		add_refusal(e, e->asked++, refusal_of(problem));
		return;
	}
	if (e->mail)
		relay_ask_add(e, RELAY_MAIL, e->mail);
	e->mail = NULL;
	relay_ask_add(e, RELAY_RCPT, line)->index = e->asked++;
}

bool relay_envelope_is_known(const struct relay_engine *e, const struct relay_ask *ask)
{
	return ask->refusal || (ask->verb == RELAY_RCPT && !ask->written && e->sender.code);
}

static enum relay_step on_mail(struct relay_engine *e, const struct relay_ask *ask)
{
	if (ask->dropped)
		return RELAY_GO_ON;
	if (relay_is_refusal(&e->reply))
		e->sender = relay_answer_of(&e->reply);
	else if (e->reply.code / 100 != 2)
		return relay_fail(e, RELAY_FAILURE_BROKEN, "MAIL", &e->reply);
	return RELAY_GO_ON;
}

static enum relay_step on_rcpt(struct relay_engine *e, const struct relay_ask *ask)
{
	struct relay_answer answer = relay_answer_of(&e->reply);

	if (ask->dropped)
		return RELAY_GO_ON;
	if (answer.code / 100 == 3)
		return relay_fail(e, RELAY_FAILURE_BROKEN, "RCPT", &e->reply);
	/* A refused sender has no recipients, whatever the server says of them. */
	if (e->sender.code)
		answer = e->sender;
	if (answer.code / 100 == 2) {
		e->accepted_list =
			mem_resize(e->accepted_list, (e->accepted + 1) * sizeof *e->accepted_list);
		e->accepted_list[e->accepted++] = ask->index;
	}
	relay_set_result(e, &answer, ask->index);
	return RELAY_GOT_RECIPIENT;
}

enum relay_step relay_envelope_answer(struct relay_engine *e, const struct relay_ask *ask)
{
	return ask->verb == RELAY_MAIL ? on_mail(e, ask) : on_rcpt(e, ask);
}

unsigned relay_engine_accepted(const struct relay_engine *e)
{
	return e->accepted;
}

bool relay_engine_has_answered(const struct relay_engine *e)
{
	return e->answered;
}

void relay_envelope_over(struct relay_engine *e)
{
	e->transaction = e->sending = false;
	e->phase = RELAY_BODY_NONE;
	free(e->mail);
	e->mail = NULL;
}

void relay_envelope_ask_reset(struct relay_engine *e)
{
	if (e->mail_told)
		relay_ask_add(e, RELAY_RSET, mem_copy_string("RSET\r\n"));
	e->mail_told = false;
}

bool relay_engine_reset(struct relay_engine *e)
{
	if (e->sending)
		return false;
	if (!e->transaction)
		return true;
	e->repeat = 0;
	relay_ask_drop(e);
	relay_envelope_ask_reset(e);
	relay_envelope_over(e);
	return true;
}
