#include <stdlib.h>
#include <string.h>

#include "decision.h"
#include "registration.h"
#include "request.h"
#include "shape.h"
#include "protocol/grow.h"
#include "protocol/handshake.h"
#include "protocol/jsonl.h"

enum state { WAIT_HELLO, WAIT_READY, READY, OVER };

struct open_request {
	uint64_t id;
	bool cancelled;
};

struct gatepost_policy {
	struct gatepost_policy_options options; /* its pointers are cleared: only plain values */
	enum state state;
	bool was_ready;
	struct gatepost_error error;
	struct jsonl lines;
	struct json_out registration; /* until hello */
	struct json_out out;
	size_t out_sent;
	char *spool;
	struct gatepost_request *first, **last;
	struct open_request *open;
	size_t open_len, open_size;
};

struct gatepost_policy *gatepost_policy_new(const struct gatepost_policy_options *options,
					    struct gatepost_error *error)
{
	struct gatepost_policy *policy;

	*error = (struct gatepost_error){0};
	if (!options->service || !options->service[0] || options->body_len > GATEPOST_BODY_MAX) {
		gatepost_shape_fail(error, "usage", "a service needs a name, and at most %d modes",
				    GATEPOST_BODY_MAX);
		return NULL;
	}
	policy = grow_resize(NULL, sizeof *policy);
	*policy = (struct gatepost_policy){.options = *options};
	policy->last = &policy->first;
	if (!policy->options.window)
		policy->options.window = GATEPOST_WINDOW_DEFAULT;
	jsonl_init(&policy->lines, JSONL_LINE_MAX);
	if (!gatepost_registration_write(&policy->registration, &policy->options, error)) {
		gatepost_policy_free(&policy);
		return NULL;
	}
	policy->options.service = policy->options.software = NULL;
	policy->options.need = NULL;
	policy->options.want = NULL;
	return policy;
}

void gatepost_policy_free(struct gatepost_policy **policy)
{
	struct gatepost_policy *p = *policy;
	struct gatepost_request *request;

	*policy = NULL;
	if (!p)
		return;
	while ((request = gatepost_policy_next(p)))
		gatepost_request_free(&request);
	jsonl_fini(&p->lines);
	json_out_fini(&p->registration);
	json_out_fini(&p->out);
	free(p->spool);
	free(p->open);
	free(p);
}

/* --- messages of the gateway --- */

static void tell(const struct gatepost_policy *policy, const char *text)
{
	if (policy->options.log)
		policy->options.log(policy->options.log_arg, text);
}

static void end(struct gatepost_policy *policy)
{
	policy->state = OVER;
}

static struct open_request *find_open(const struct gatepost_policy *policy, uint64_t id)
{
	for (size_t i = 0; i < policy->open_len; i++)
		if (policy->open[i].id == id)
			return &policy->open[i];
	return NULL;
}

static bool add_open(struct gatepost_policy *policy, uint64_t id)
{
	if (find_open(policy, id))
		return gatepost_shape_fail(&policy->error, "bad_message",
					   "the gateway sent a request with an id that is in use");
	/* Without this a gateway gone wild would own all memory. */
	if (policy->open_len >= policy->options.window)
		return gatepost_shape_fail(&policy->error, "bad_message",
					   "the gateway sent more requests than the window");
	if (policy->open_len == policy->open_size) {
		policy->open_size = grow_capacity(policy->open_size, policy->open_len + 1);
		policy->open = grow_resize(policy->open, policy->open_size * sizeof *policy->open);
	}
	policy->open[policy->open_len++] = (struct open_request){.id = id};
	return true;
}

static void take_hello(struct gatepost_policy *policy, const json_t *message)
{
	json_t *versions = json_object_get(message, "versions"), *version;
	const char *protocol = json_string_value(json_object_get(message, "protocol"));
	size_t i;

	if (strcmp(protocol, "gatepost-policy") != 0) {
		gatepost_shape_fail(&policy->error, "bad_message",
				    "this is a service for gatepost-policy, not %s", protocol);
		end(policy);
		return;
	}
	json_array_foreach(versions, i, version)
	{
		if (json_integer_value(version) != PROTOCOL_VERSION)
			continue;
		json_out_raw_octets(&policy->out, policy->registration.data,
				    policy->registration.len);
		policy->state = WAIT_READY;
		return;
	}
	gatepost_shape_fail(&policy->error, "version", "the gateway does not speak version %d",
			    PROTOCOL_VERSION);
	end(policy);
}

static void take_ready(struct gatepost_policy *policy, const json_t *message)
{
	const char *spool = json_string_value(json_object_get(message, "spool"));
	const json_t *hooks = json_object_get(message, "hooks");
	struct gatepost_error line;

	if (spool) {
		policy->spool = grow_resize(NULL, strlen(spool) + 1);
		memcpy(policy->spool, spool, strlen(spool) + 1);
	}
	for (unsigned hook = 0; hook < GATEPOST_HOOK_MAX; hook++) {
		const char *word = gatepost_hook_word((enum gatepost_hook)hook);

		if (!(policy->options.hooks & 1u << hook) || json_object_get(hooks, word))
			continue;
		gatepost_shape_fail(&line, "", "the gateway is not configured to ask at %s", word);
		tell(policy, line.message);
	}
	policy->state = READY;
	policy->was_ready = true;
}

static void take_error(struct gatepost_policy *policy, const json_t *message)
{
	struct gatepost_error line;
	const char *code = json_string_value(json_object_get(message, "code")),
		   *text = json_string_value(json_object_get(message, "message"));
	const json_t *id = json_object_get(message, "id");

	gatepost_shape_fail(&line, "", "the gateway reports %.31s about request %lld: %.180s", code,
			    (long long)json_integer_value(id), text);
	if (!id)
		gatepost_shape_fail(&line, "", "the gateway reports %.31s: %.180s", code, text);
	tell(policy, line.message);
	if (json_is_true(json_object_get(message, "fatal"))) {
		gatepost_shape_fail(&policy->error, code, "%s", text);
		end(policy);
	}
}

/* A request that cannot be understood is answered all the same: the window must not fill up, and
 * nobody's guess is an acceptance. */
static void refuse_request(struct gatepost_policy *policy, uint64_t id,
			   const struct gatepost_error *why)
{
	struct gatepost_verdict fault = gatepost_fault();
	struct gatepost_error line;

	gatepost_shape_fail(&line, "", "request %llu cannot be understood: %.200s",
			    (unsigned long long)id, why->message);
	tell(policy, line.message);
	if (id)
		gatepost_policy_reply(policy, id, &fault, &line);
}

static bool understand(const struct gatepost_policy *policy, const json_t *message, enum hook *hook,
		       struct gatepost_error *why)
{
	const char *word;

	if (!gatepost_shape_check(message, why))
		return false;
	word = json_string_value(json_object_get(message, "hook"));
	if (!hook_from_word(word, hook) || !(policy->options.hooks & 1u << *hook))
		return gatepost_shape_fail(why, "unknown_hook", "nobody asked for hook %s", word);
	if (*hook == HOOK_DISCONNECT && json_object_get(message, "id"))
		return gatepost_shape_fail(why, "bad_message", "a notification has an id");
	return true;
}

static void take_request(struct gatepost_policy *policy, json_t *message)
{
	const json_t *value = json_object_get(message, "id");
	uint64_t id = (uint64_t)json_integer_value(value);
	struct gatepost_error why = {0};
	enum hook hook = HOOK_MAX;

	if (value && !gatepost_shape_is_integer(value, 1)) {
		gatepost_shape_fail(&policy->error, "bad_message",
				    "the gateway sent a request with a bad id");
		end(policy);
		return;
	}
	if (value && !add_open(policy, id)) {
		end(policy);
		return;
	}
	if (!understand(policy, message, &hook, &why)) {
		refuse_request(policy, id, &why);
		return;
	}
	*policy->last =
		gatepost_request_new(json_incref(message), (enum gatepost_hook)hook, policy->spool);
	policy->last = &(*policy->last)->next;
}

static void take_cancel(struct gatepost_policy *policy, const json_t *message)
{
	json_t *ids = json_object_get(message, "ids"), *id;
	struct open_request *open;
	size_t i;

	json_array_foreach(ids, i, id)
	{
		open = find_open(policy, (uint64_t)json_integer_value(id));
		if (open)
			open->cancelled = true;
	}
}

static void take_message(struct gatepost_policy *policy, json_t *message)
{
	static const struct {
		const char *type;
		enum state state; /* in which it may come; OVER: in each */
		void (*take)(struct gatepost_policy *policy, const json_t *message);
	} messages[] = {
		{"hello", WAIT_HELLO, take_hello},
		{"ready", WAIT_READY, take_ready},
		{"cancel", READY, take_cancel},
		{"error", OVER, take_error},
	};
	const char *type = gatepost_shape_type(message);

	if (!strcmp(type, "request") && policy->state == READY) {
		take_request(policy, message);
		return;
	}
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		if (strcmp(messages[i].type, type) != 0)
			continue;
		if (messages[i].state != policy->state && messages[i].state != OVER)
			break;
		if (gatepost_shape_check(message, &policy->error))
			messages[i].take(policy, message);
		else
			end(policy);
		return;
	}
	/* A type that this version does not know is ignored once the handshake is done. */
	if (policy->state == READY && *type && strcmp(type, "hello") != 0 &&
	    strcmp(type, "ready") != 0)
		return;
	gatepost_shape_fail(&policy->error, "bad_message", "the gateway sent \"%.40s\" %s", type,
			    policy->state == READY ? "again" : "during the handshake");
	end(policy);
}

/* --- for the caller --- */

bool gatepost_policy_feed(struct gatepost_policy *policy, const char *data, size_t len)
{
	json_t *message;
	size_t line_len;
	bool fed;
	char *line;

	if (policy->state == OVER)
		return false;
	fed = jsonl_feed(&policy->lines, data, len);
	while (policy->state != OVER && jsonl_next(&policy->lines, &line, &line_len)) {
		message = gatepost_shape_parse(line, line_len, &policy->error);
		if (message)
			take_message(policy, message);
		else
			end(policy);
		json_decref(message);
	}
	if (!fed && policy->state != OVER) {
		gatepost_shape_fail(&policy->error, "line_too_long",
				    "the gateway sent a line that is too long");
		end(policy);
	}
	return policy->state != OVER;
}

bool gatepost_policy_feed_end(struct gatepost_policy *policy)
{
	if (policy->state != OVER && policy->lines.len > policy->lines.start)
		gatepost_shape_fail(&policy->error, "bad_json",
				    "the gateway's last line is incomplete");
	end(policy);
	return !policy->error.code[0];
}

struct gatepost_request *gatepost_policy_next(struct gatepost_policy *policy)
{
	struct gatepost_request *request = policy->first;

	if (!request)
		return NULL;
	policy->first = request->next;
	if (!policy->first)
		policy->last = &policy->first;
	request->next = NULL;
	return request;
}

bool gatepost_policy_reply(struct gatepost_policy *policy, uint64_t id,
			   const struct gatepost_verdict *verdict, struct gatepost_error *error)
{
	struct open_request *open = find_open(policy, id);

	if (!open)
		return gatepost_shape_fail(error, "unknown_id", "no request %llu is open",
					   (unsigned long long)id);
	if (!gatepost_verdict_check(verdict, error))
		return false;
	gatepost_decision_write(&policy->out, id, verdict);
	*open = policy->open[--policy->open_len];
	return true;
}

bool gatepost_policy_is_cancelled(const struct gatepost_policy *policy, uint64_t id)
{
	const struct open_request *open = find_open(policy, id);

	return open && open->cancelled;
}

size_t gatepost_policy_open_len(const struct gatepost_policy *policy)
{
	return policy->open_len;
}

size_t gatepost_policy_out(const struct gatepost_policy *policy, const char **data)
{
	*data = policy->out.data ? policy->out.data + policy->out_sent : "";
	return policy->out.len - policy->out_sent;
}

void gatepost_policy_sent(struct gatepost_policy *policy, size_t n)
{
	policy->out_sent += n;
	if (policy->out_sent < policy->out.len)
		return;
	policy->out_sent = 0;
	json_out_clear(&policy->out);
}

bool gatepost_policy_is_ready(const struct gatepost_policy *policy)
{
	return policy->was_ready;
}

const struct gatepost_error *gatepost_policy_error(const struct gatepost_policy *policy)
{
	return &policy->error;
}
