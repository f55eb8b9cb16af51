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

bool player_facts_match(const struct dialogue_item *item, const struct hook_request *request,
			struct buf *found)
{
	for (size_t i = 0; i < item->fields_len; i++) {
		const struct dialogue_field *field = &item->fields[i];
		struct buf fact;
		bool same;

		buf_init(&fact, DIALOGUE_OCTETS_MAX);
		add_fact(&fact, request, field->name);
		same = fact.len == field->value.len &&
		       (fact.len == 0 ||
			memcmp(buf_head(&fact), buf_head(&field->value), fact.len) == 0);
		if (!same) {
			buf_printf(found, "%s=", field->name);
			if (fact.len > 0)
				buf_append(found, buf_head(&fact), fact.len);
		}
		buf_fini(&fact);
		if (!same)
			return false;
	}
	return true;
}
