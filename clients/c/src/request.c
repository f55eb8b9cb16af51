#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base64.h"
#include "protocol/grow.h"
#include "protocol/hook.h"

#define SAME(name) _Static_assert((int)GATEPOST_##name == (int)name, "the order of protocol/hook.h")
SAME(HOOK_CONNECT);
SAME(HOOK_AUTH);
SAME(HOOK_MESSAGE);
SAME(HOOK_DISCONNECT);
SAME(HOOK_MAX);

struct gatepost_request *gatepost_request_new(json_t *message, enum gatepost_hook hook,
					      const char *spool)
{
	struct gatepost_request *request = grow_resize(NULL, sizeof *request);

	*request = (struct gatepost_request){
		.message = message,
		.args = json_object_get(message, "args"),
		.context = json_object_get(message, "context"),
		.hook = hook,
	};
	/* Only a message can have a path; the other questions are spared the copy. */
	if (spool && hook == GATEPOST_HOOK_MESSAGE) {
		request->spool = grow_resize(NULL, strlen(spool) + 1);
		memcpy(request->spool, spool, strlen(spool) + 1);
	}
	return request;
}

void gatepost_request_free(struct gatepost_request **request)
{
	struct gatepost_request *r = *request;

	*request = NULL;
	if (!r)
		return;
	json_decref(r->message);
	free(r->spool);
	gatepost_kept_fini(&r->kept);
	free(r);
}

const char *gatepost_hook_word(enum gatepost_hook hook)
{
	return (unsigned)hook < GATEPOST_HOOK_MAX ? hook_word((enum hook)hook) : NULL;
}

static const char *text_of(const struct gatepost_request *request, const char *name)
{
	return json_string_value(json_object_get(request->message, name));
}

enum gatepost_hook gatepost_request_hook(const struct gatepost_request *request)
{
	return request->hook;
}

uint64_t gatepost_request_id(const struct gatepost_request *request)
{
	return (uint64_t)json_integer_value(json_object_get(request->message, "id"));
}

const char *gatepost_request_key(const struct gatepost_request *request)
{
	return text_of(request, "key");
}

unsigned gatepost_request_attempt(const struct gatepost_request *request)
{
	return (unsigned)json_integer_value(json_object_get(request->message, "attempt"));
}

const char *gatepost_request_session(const struct gatepost_request *request)
{
	return text_of(request, "session");
}

const char *gatepost_request_transaction(const struct gatepost_request *request)
{
	return text_of(request, "transaction");
}

int64_t gatepost_request_deadline_ms(const struct gatepost_request *request)
{
	const json_t *value = json_object_get(request->message, "deadline_ms");

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

const struct json_t *gatepost_request_message(const struct gatepost_request *request)
{
	return request->message;
}

/* The object that a name begins in: see policy.h. */
static const json_t *base(const struct gatepost_request *request, const char *name)
{
	return strchr(name, '.') ? request->context : request->args;
}

const char *gatepost_request_text(const struct gatepost_request *request, const char *name)
{
	return json_string_value(gatepost_fields_find(base(request, name), name));
}

const char *gatepost_request_octets(struct gatepost_request *request, const char *name, size_t *len)
{
	return gatepost_fields_octets(base(request, name), name, &request->kept, len);
}

bool gatepost_request_integer(const struct gatepost_request *request, const char *name,
			      int64_t *value)
{
	const json_t *found = gatepost_fields_find(base(request, name), name);

	if (!json_is_integer(found))
		return false;
	*value = json_integer_value(found);
	return true;
}

bool gatepost_request_boolean(const struct gatepost_request *request, const char *name, bool *value)
{
	const json_t *found = gatepost_fields_find(base(request, name), name);

	if (!json_is_boolean(found))
		return false;
	*value = json_is_true(found);
	return true;
}

static const char *mailbox(struct gatepost_request *request, const json_t *fields)
{
	const char *local = json_string_value(json_object_get(fields, "local")),
		   *domain = json_string_value(json_object_get(fields, "domain"));
	size_t size;
	char *text;

	if (!local || !domain)
		return NULL;
	size = strlen(local) + strlen(domain) + 2;
	text = grow_resize(NULL, size);
	snprintf(text, size, "%s%s%s", local, *domain ? "@" : "", domain);
	for (char *p = text; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return gatepost_kept_add(&request->kept, text);
}

const char *gatepost_request_mailbox(struct gatepost_request *request)
{
	if (request->hook != GATEPOST_HOOK_MAIL && request->hook != GATEPOST_HOOK_RCPT)
		return NULL;
	return mailbox(request, request->args);
}

const char *gatepost_request_sender(struct gatepost_request *request)
{
	if (request->hook == GATEPOST_HOOK_MAIL)
		return mailbox(request, request->args);
	return mailbox(request, json_object_get(request->context, "mail"));
}

size_t gatepost_request_recipients_len(const struct gatepost_request *request)
{
	return json_array_size(json_object_get(request->context, "recipients"));
}

const char *gatepost_request_recipient(struct gatepost_request *request, size_t i)
{
	return mailbox(request, json_array_get(json_object_get(request->context, "recipients"), i));
}

/* One part of a pair: its exact octets, in base64 when `encoded`. */
static const char *part_octets(struct gatepost_request *request, const json_t *pair, size_t i,
			       bool encoded, size_t *len)
{
	const json_t *value = json_array_get(pair, i);

	*len = json_string_length(value);
	if (!encoded || !json_is_string(value))
		return json_string_value(value);
	return gatepost_kept_add(&request->kept,
				 gatepost_base64_decode(json_string_value(value), *len, len));
}

bool gatepost_request_param(struct gatepost_request *request, const char *mailbox_name,
			    const char *name, const char **value, size_t *len)
{
	const json_t *fields =
		mailbox_name ? gatepost_fields_find(request->context, mailbox_name) : request->args;
	const json_t *params = json_object_get(fields, "params"),
		     *exact = json_object_get(fields, "params_b64"), *pair;

	for (size_t i = 0; i < json_array_size(params); i++) {
		pair = json_array_get(params, i);
		if (strcasecmp(json_string_value(json_array_get(pair, 0)), name) != 0)
			continue;
		if (exact)
			pair = json_array_get(exact, i);
		*value = part_octets(request, pair, 1, exact, len);
		return true;
	}
	return false;
}
