#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base64.h"
#include "request_state.h"
#include "protocol/grow.h"

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
