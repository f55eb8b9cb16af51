#include <string.h>
#include <unistd.h>

#include "policy_state.h"
#include "request_state.h"
#include "shape.h"
#include "protocol/grow.h"
#include "protocol/handshake.h"
#include "protocol/hook_json.h"

static void end(struct gatepost_policy *policy)
{
	policy->state = GATEPOST_OVER;
}

struct gatepost_open *gatepost_policy_find(const struct gatepost_policy *policy, uint64_t id)
{
	for (size_t i = 0; i < policy->open_len; i++)
		if (policy->open[i].id == id)
			return &policy->open[i];
	return NULL;
}

/* The hook as far as the request has one: what it allows is looked up when it is answered. */
static enum hook hook_of(const json_t *message)
{
	const char *word = json_string_value(json_object_get(message, "hook"));
	enum hook hook = HOOK_MAX;

	if (word)
		hook_from_word(word, &hook);
	return hook;
}

static bool add_open(struct gatepost_policy *policy, uint64_t id, enum hook hook)
{
	if (gatepost_policy_find(policy, id))
		return gatepost_shape_fail(&policy->error, "bad_message",
					   "the gateway sent a request with an id that is in use");
	/* Without this a gateway gone wild would own all memory. */
	if (policy->open_len >= policy->window_max)
		return gatepost_shape_fail(&policy->error, "bad_message",
					   "the gateway sent more requests than the window");
	if (policy->open_len == policy->open_size) {
		policy->open_size = grow_capacity(policy->open_size, policy->open_len + 1);
		policy->open = grow_resize(policy->open, policy->open_size * sizeof *policy->open);
	}
	policy->open[policy->open_len++] = (struct gatepost_open){.id = id, .hook = hook};
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
		policy->state = GATEPOST_WAIT_READY;
		return;
	}
	gatepost_shape_fail(&policy->error, "version", "the gateway does not speak version %d",
			    PROTOCOL_VERSION);
	end(policy);
}

static void take_error(struct gatepost_policy *policy, const json_t *message)
{
	const char *code = json_string_value(json_object_get(message, "code")),
		   *text = json_string_value(json_object_get(message, "message"));
	const json_t *id = json_object_get(message, "id");

	if (id)
		gatepost_policy_tell(policy, "the gateway reports %.31s about request %lld: %.180s",
				     code, (long long)json_integer_value(id), text);
	else
		gatepost_policy_tell(policy, "the gateway reports %.31s: %.180s", code, text);
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
	struct gatepost_open *open = gatepost_policy_find(policy, id);
	struct gatepost_error error;

	if (open)
		open->hook = HOOK_MAX; /* whatever it says: a tempfail fits */
	gatepost_policy_tell(policy, "request %llu cannot be understood: %.200s",
			     (unsigned long long)id, why->message);
	if (id)
		gatepost_policy_reply(policy, id, &fault, &error);
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
	if (gatepost_request_body_of(message) == GATEPOST_BODY_FD &&
	    !gatepost_policy_has_mode_fd(policy))
		return gatepost_shape_fail(why, "bad_message", "nobody asked for mode fd");
	return true;
}

/* The descriptor of a request in mode fd, -1 with others. False: it has not come, or it is not
 * clear whose the next one is. Going on would show some service the wrong message. */
static bool take_request_fd(struct gatepost_policy *policy, const json_t *message, bool understood,
			    int *fd)
{
	bool wanted = gatepost_request_body_of(message) == GATEPOST_BODY_FD &&
		      gatepost_policy_has_mode_fd(policy);

	*fd = wanted ? gatepost_policy_take_fd(policy) : -1;
	if (wanted ? *fd >= 0 : understood || !policy->fds_len)
		return true;
	gatepost_shape_fail(&policy->error, "bad_message",
			    "the gateway's descriptors do not fit its requests");
	end(policy);
	return false;
}

static void take_understood(struct gatepost_policy *policy, json_t *message, enum hook hook, int fd)
{
	*policy->last = gatepost_request_new(json_incref(message), (enum gatepost_hook)hook,
					     policy->spool, fd);
	policy->last = &(*policy->last)->next;
}

static void take_request(struct gatepost_policy *policy, json_t *message)
{
	const json_t *value = json_object_get(message, "id");
	uint64_t id = (uint64_t)json_integer_value(value);
	struct gatepost_error why = {0};
	enum hook hook = HOOK_MAX;
	bool understood;
	int fd;

	if (value && !gatepost_shape_is_integer(value, 1)) {
		gatepost_shape_fail(&policy->error, "bad_message",
				    "the gateway sent a request with a bad id");
		end(policy);
		return;
	}
	if (value && !add_open(policy, id, hook_of(message))) {
		end(policy);
		return;
	}
	understood = understand(policy, message, &hook, &why);
	if (!take_request_fd(policy, message, understood, &fd))
		return;
	if (understood) {
		take_understood(policy, message, hook, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
	refuse_request(policy, id, &why);
}

static void take_cancel(struct gatepost_policy *policy, const json_t *message)
{
	json_t *ids = json_object_get(message, "ids"), *id;
	struct gatepost_open *open;
	size_t i;

	json_array_foreach(ids, i, id)
	{
		open = gatepost_policy_find(policy, (uint64_t)json_integer_value(id));
		if (open)
			open->cancelled = true;
	}
}

static void take_ping(struct gatepost_policy *policy, const json_t *message)
{
	(void)message;
	hook_json_pong(&policy->out);
}

static void take_pong(struct gatepost_policy *policy, const json_t *message)
{
	(void)message;
	policy->drained = policy->draining && policy->out_sent >= policy->ping_end;
}

void gatepost_policy_take(struct gatepost_policy *policy, json_t *message)
{
	static const struct {
		const char *type;
		enum gatepost_policy_state state; /* in which it may come; GATEPOST_OVER: in each */
		void (*take)(struct gatepost_policy *policy, const json_t *message);
	} messages[] = {
		{"hello", GATEPOST_WAIT_HELLO, take_hello},
		{"ready", GATEPOST_WAIT_READY, gatepost_policy_take_ready},
		{"cancel", GATEPOST_READY, take_cancel},
		{"ping", GATEPOST_READY, take_ping},
		{"pong", GATEPOST_READY, take_pong},
		{"error", GATEPOST_OVER, take_error},
	};
	const char *type = gatepost_shape_type(message);

	if (!strcmp(type, "request") && policy->state == GATEPOST_READY) {
		take_request(policy, message);
		return;
	}
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		if (strcmp(messages[i].type, type) != 0)
			continue;
		if (messages[i].state != policy->state && messages[i].state != GATEPOST_OVER)
			break;
		if (gatepost_shape_check(message, &policy->error))
			messages[i].take(policy, message);
		else
			end(policy);
		return;
	}
	/* A type that this version does not know is ignored once the handshake is done. */
	if (policy->state == GATEPOST_READY && *type && strcmp(type, "hello") != 0 &&
	    strcmp(type, "ready") != 0)
		return;
	gatepost_shape_fail(&policy->error, "bad_message", "the gateway sent \"%.40s\" %s", type,
			    policy->state == GATEPOST_READY ? "again" : "during the handshake");
	end(policy);
}
