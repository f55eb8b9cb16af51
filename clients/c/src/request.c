#include "request_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/grow.h"
#include "protocol/hook.h"

#define SAME(name) _Static_assert((int)GATEPOST_##name == (int)name, "the order of protocol/hook.h")
SAME(HOOK_CONNECT);
SAME(HOOK_AUTH);
SAME(HOOK_MESSAGE);
SAME(HOOK_DISCONNECT);
SAME(HOOK_MAX);

struct gatepost_request *gatepost_request_new(json_t *message, enum gatepost_hook hook,
					      const char *spool, int fd)
{
	struct gatepost_request *request = grow_resize(NULL, sizeof *request);

	*request = (struct gatepost_request){
		.message = message,
		.args = json_object_get(message, "args"),
		.context = json_object_get(message, "context"),
		.hook = hook,
		.fd = fd,
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
	if (r->fd >= 0)
		close(r->fd);
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

void *gatepost_request_alloc(struct gatepost_request *request, size_t size)
{
	void *memory = grow_resize(NULL, size ? size : 1);

	memset(memory, 0, size);
	return gatepost_kept_add(&request->kept, memory);
}

const char *gatepost_request_format(struct gatepost_request *request, const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		abort(); /* no memory: as everywhere here */
	return gatepost_kept_add(&request->kept, text);
}

/* The object that a name begins in: see policy.h. */
static const json_t *base(const struct gatepost_request *request, const char *name)
{
	if (!strncmp(name, "keep.", 5))
		return request->message;
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

bool gatepost_request_has_label(const struct gatepost_request *request, const char *label)
{
	const json_t *labels = json_object_get(request->context, "labels");
	const json_t *item;
	size_t i;

	json_array_foreach(labels, i, item)
	{
		if (!strcmp(json_string_value(item), label))
			return true;
	}
	return false;
}

static const char *kept(struct gatepost_request *request, const char *name)
{
	const json_t *object = json_object_get(json_object_get(request->message, "keep"), name);
	char *text;

	if (!object)
		return NULL;
	text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (!text)
		abort(); /* no memory: as everywhere here */
	return gatepost_kept_add(&request->kept, text);
}

const char *gatepost_request_keep_session(struct gatepost_request *request)
{
	return kept(request, "session");
}

const char *gatepost_request_keep_transaction(struct gatepost_request *request)
{
	return kept(request, "transaction");
}
