#include "player_facts.h"

#include <string.h>

static void add_octets(struct buf *out, struct octets octets)
{
	if (octets.data == NULL)
		buf_append_string(out, "-");
	else if (octets.len > 0)
		buf_append(out, octets.data, octets.len);
}

/* NAME=VALUE,NAME */
static void add_params(struct buf *out, const struct hook_mailbox *mailbox)
{
	for (size_t i = 0; i < mailbox->params_len; i++) {
		const struct hook_param *param = &mailbox->params[i];

		if (i > 0)
			buf_append_string(out, ",");
		add_octets(out, param->name);
		if (param->value.data != NULL) {
			buf_append_string(out, "=");
			add_octets(out, param->value);
		}
	}
}

static void add_mailbox(struct buf *out, const struct hook_mailbox *mailbox, const char *name)
{
	if (mailbox == NULL)
		buf_append_string(out, "-");
	else if (strcmp(name, "address") == 0 || strcmp(name, "from") == 0)
		add_octets(out, mailbox->address);
	else if (strcmp(name, "local") == 0)
		add_octets(out, mailbox->local);
	else if (strcmp(name, "domain") == 0)
		add_octets(out, mailbox->domain);
	else
		add_params(out, mailbox);
}

/* Services get them at data and message only (protocol/hook.h). */
static void add_recipients(struct buf *out, const struct hook_request *request)
{
	const struct hook_context *context = &request->context;

	if (context->recipients == NULL ||
	    (request->hook != HOOK_DATA && request->hook != HOOK_MESSAGE)) {
		buf_append_string(out, "-");
		return;
	}
	for (size_t i = 0; i < context->recipients_len; i++) {
		if (i > 0)
			buf_append_string(out, ",");
		add_octets(out, context->recipients[i].address);
	}
}

static void add_credential(struct buf *out, const struct hook_auth *auth, const char *name)
{
	if (auth == NULL)
		buf_append_string(out, "-");
	else if (strcmp(name, "mechanism") == 0)
		buf_append_string(out, auth->mechanism);
	else if (strcmp(name, "authzid") == 0)
		add_octets(out, auth->authzid);
	else if (strcmp(name, "password") == 0)
		add_octets(out, auth->password);
	else if (strcmp(name, "token") == 0)
		add_octets(out, auth->token);
	else
		add_octets(out, auth->user);
}

static void add_helo(struct buf *out, const struct hook_helo *helo, const char *name)
{
	if (helo == NULL)
		buf_append_string(out, "-");
	else if (strcmp(name, "verb") == 0)
		buf_append_string(out, helo->verb);
	else
		add_octets(out, helo->name);
}

/* The facts that are numbers; false when `name` is none of them. */
static bool add_number(struct buf *out, const struct hook_request *request, const char *name)
{
	if (strcmp(name, "index") == 0)
		buf_printf(out, "%u", request->index);
	else if (strcmp(name, "accepted") == 0 || strcmp(name, "recipients") == 0)
		buf_printf(out, "%u", request->accepted);
	else if (strcmp(name, "commands") == 0)
		buf_printf(out, "%u", request->commands);
	else if (strcmp(name, "messages") == 0)
		buf_printf(out, "%u", request->messages);
	else if (strcmp(name, "errors") == 0)
		buf_printf(out, "%u", request->errors);
	else if (strcmp(name, "size") == 0 && request->message != NULL)
		buf_printf(out, "%llu", (unsigned long long)request->message->size);
	else
		return false;
	return true;
}

static void add_fact(struct buf *out, const struct hook_request *request, const char *name)
{
	if (add_number(out, request, name))
		return;
	if (strcmp(name, "verb") == 0 || strcmp(name, "name") == 0)
		add_helo(out, request->helo, name);
	else if (strcmp(name, "address") == 0 || strcmp(name, "local") == 0 ||
		 strcmp(name, "domain") == 0 || strcmp(name, "params") == 0)
		add_mailbox(out, request->mailbox, name);
	else if (strcmp(name, "mechanism") == 0 || strcmp(name, "user") == 0 ||
		 strcmp(name, "authzid") == 0 || strcmp(name, "password") == 0 ||
		 strcmp(name, "token") == 0)
		add_credential(out, request->auth, name);
	else if (strcmp(name, "login") == 0)
		add_credential(out, request->context.auth, "user");
	else if (strcmp(name, "reason") == 0)
		buf_append_string(out, request->reason != NULL ? request->reason : "-");
	else if (strcmp(name, "helo") == 0)
		add_helo(out, request->context.helo, "name");
	else if (strcmp(name, "from") == 0)
		add_mailbox(out, request->context.mail, name);
	else if (strcmp(name, "to") == 0)
		add_recipients(out, request);
	else
		buf_append_string(out, "(there is no such fact)");
}

static bool match(const struct dialogue_field *field, const struct buf *fact, struct buf *found)
{
	if (fact->len == field->value.len &&
	    (fact->len == 0 || memcmp(buf_head(fact), buf_head(&field->value), fact->len) == 0))
		return true;
	buf_printf(found, "%s=", field->name);
	if (fact->len > 0)
		buf_append(found, buf_head(fact), fact->len);
	return false;
}

bool player_facts_match(const struct dialogue_item *item, const struct hook_request *request,
			struct buf *found)
{
	for (size_t i = 0; i < item->fields_len; i++) {
		struct buf fact;
		bool same;

		buf_init(&fact, DIALOGUE_OCTETS_MAX);
		add_fact(&fact, request, item->fields[i].name);
		same = match(&item->fields[i], &fact, found);
		buf_fini(&fact);
		if (!same)
			return false;
	}
	return true;
}

/* "-" for what XCLIENT has not said, nothing for what it said to be unavailable. */
static void add_client_fact(struct buf *out, const struct smtp_xclient *x, const char *name)
{
	const struct {
		const char *name;
		unsigned bit;
		const char *text; /* NULL: a port */
		unsigned port;
	} facts[] = {
		{"name", SMTP_XCLIENT_NAME, x->name, 0},
		{"addr", SMTP_XCLIENT_ADDR, x->addr, 0},
		{"port", SMTP_XCLIENT_PORT, NULL, x->port},
		{"proto", SMTP_XCLIENT_PROTO, x->proto, 0},
		{"helo", SMTP_XCLIENT_HELO, x->helo, 0},
		{"login", SMTP_XCLIENT_LOGIN, x->login, 0},
		{"destaddr", SMTP_XCLIENT_DESTADDR, x->destaddr, 0},
		{"destport", SMTP_XCLIENT_DESTPORT, NULL, x->destport},
	};

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		if (strcmp(facts[i].name, name) != 0)
			continue;
		if ((x->given & facts[i].bit) == 0)
			buf_append_string(out, "-");
		else if (facts[i].text != NULL)
			buf_append_string(out, facts[i].text);
		else if (facts[i].port != 0)
			buf_printf(out, "%u", facts[i].port);
		return;
	}
	buf_printf(out, "(there is no fact %s)", name);
}

bool player_facts_match_client(const struct dialogue_item *item, const struct smtp_xclient *client,
			       struct buf *found)
{
	for (size_t i = 0; i < item->fields_len; i++) {
		struct buf fact;
		bool same;

		buf_init(&fact, DIALOGUE_OCTETS_MAX);
		add_client_fact(&fact, client, item->fields[i].name);
		same = match(&item->fields[i], &fact, found);
		buf_fini(&fact);
		if (!same)
			return false;
	}
	return true;
}
