#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy_state.h"
#include "protocol/grow.h"
#include "protocol/handshake.h"
#include "protocol/utf8.h"

void gatepost_policy_tell(const struct gatepost_policy *policy, const char *format, ...)
{
	char line[512];
	va_list args;

	if (!policy->options.log)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	utf8_make_printable(line);
	policy->options.log(policy->options.log_arg, line);
}

static char *copy(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(grow_resize(NULL, size), text, size);
}

static char *join(const json_t *words)
{
	struct json_out out = {0};
	const json_t *word;
	size_t i;

	json_array_foreach(words, i, word)
	{
		json_out_raw(&out, i ? " " : "");
		json_out_raw(&out, json_string_value(word));
	}
	json_out_raw_octets(&out, "", 1);
	return out.data;
}

static unsigned grants_of(const json_t *words)
{
	enum handshake_grant grant;
	const json_t *word;
	unsigned grants = 0;
	size_t i;

	json_array_foreach(words, i, word)
	{
		if (handshake_grant_from_word(json_string_value(word), &grant))
			grants |= 1u << grant;
	}
	return grants;
}

static void take_hooks(struct gatepost_policy *policy, const json_t *hooks)
{
	struct gatepost_ready *ready = &policy->ready;

	for (unsigned hook = 0; hook < GATEPOST_HOOK_MAX; hook++) {
		const char *word = gatepost_hook_word((enum gatepost_hook)hook);
		const json_t *options = json_object_get(hooks, word);

		if (options) {
			ready->hooks |= 1u << hook;
			ready->deadline_ms[hook] =
				json_integer_value(json_object_get(options, "deadline_ms"));
			ready->extend_ms[hook] =
				json_integer_value(json_object_get(options, "extend_ms"));
		} else if (policy->options.hooks & 1u << hook) {
			gatepost_policy_tell(policy, "the gateway is not configured to ask at %s",
					     word);
		}
	}
}

void gatepost_policy_take_ready(struct gatepost_policy *policy, const json_t *message)
{
	const char *spool = json_string_value(json_object_get(message, "spool")),
		   *mode = json_string_value(json_object_get(message, "mode"));
	struct gatepost_ready *ready = &policy->ready;

	if (spool)
		policy->spool = copy(spool);
	policy->grants = grants_of(json_object_get(message, "grants"));
	ready->policy = copy(json_string_value(json_object_get(message, "policy")));
	ready->missing = join(json_object_get(message, "missing"));
	ready->window = (unsigned)json_integer_value(json_object_get(message, "window"));
	ready->bypass = policy->grants & 1u << HANDSHAKE_GRANT_BYPASS;
	ready->shadow = mode && !strcmp(mode, "shadow");
	ready->delivers = json_is_true(json_object_get(message, "delivers"));
	take_hooks(policy, json_object_get(message, "hooks"));
	if (ready->missing[0])
		gatepost_policy_tell(policy, "the gateway cannot tell: %s", ready->missing);
	if (ready->shadow)
		gatepost_policy_tell(policy, "shadow mode: the verdicts are only reported");
	policy->state = GATEPOST_READY;
	policy->was_ready = true;
}
