#include "registration.h"

#include <stdint.h>
#include <string.h>

#include "shape.h"
#include "protocol/handshake.h"

#define SOFTWARE "gatepost-c/" GATEPOST_VERSION

static bool has(const char *const *words, size_t len, const char *word)
{
	for (size_t i = 0; words && i < len && words[i]; i++)
		if (!strcmp(words[i], word))
			return true;
	return false;
}

/* What is wanted at every hook, and then what at this one besides. */
static bool write_words(struct json_out *out, const char *name, const char *const *all,
			const char *const *here)
{
	size_t n = 0;

	for (size_t i = 0; all && all[i]; i++) {
		json_out_raw(out, n++ ? "," : name);
		json_out_text(out, all[i]);
	}
	for (size_t i = 0; here && here[i]; i++) {
		if (has(all, SIZE_MAX, here[i]) || has(here, i, here[i]))
			continue;
		json_out_raw(out, n++ ? "," : name);
		json_out_text(out, here[i]);
	}
	json_out_raw(out, n ? "]" : "");
	return n;
}

static void write_hook(struct json_out *out, const struct gatepost_policy_options *options,
		       unsigned hook)
{
	bool known = hook < GATEPOST_HOOK_MAX, some;

	json_out_raw(out, ":{");
	some = write_words(out, "\"need\":[", options->need, known ? options->need_at[hook] : NULL);
	write_words(out, some ? ",\"want\":[" : "\"want\":[", options->want,
		    known ? options->want_at[hook] : NULL);
	json_out_raw(out, "}");
}

static void write_hooks(struct json_out *out, const struct gatepost_policy_options *options)
{
	const char *comma = "";

	json_out_raw(out, ",\"hooks\":{");
	for (unsigned hook = 0; hook < 32; hook++) {
		const char *word = gatepost_hook_word((enum gatepost_hook)hook);

		if (!(options->hooks & 1u << hook))
			continue;
		json_out_raw(out, comma);
		json_out_text(out, word ? word : "?");
		write_hook(out, options, hook);
		comma = ",";
	}
	json_out_raw(out, "}");
}

static void write_body(struct json_out *out, const struct gatepost_policy_options *options)
{
	for (size_t i = 0; i < options->body_len; i++) {
		const char *word =
			(unsigned)options->body[i] < GATEPOST_BODY_MAX
				? hook_body_mode_word((enum hook_body_mode)options->body[i])
				: "?";

		json_out_raw(out, i ? "," : ",\"body\":[");
		json_out_text(out, word);
	}
	json_out_raw(out, options->body_len ? "]" : "");
}

static void write_all(struct json_out *out, const struct gatepost_policy_options *options)
{
	json_out_raw(out, "{\"type\":\"register\",\"version\":1,\"service\":");
	json_out_text(out, options->service);
	json_out_raw(out, ",\"software\":");
	json_out_text(out, options->software ? options->software : SOFTWARE);
	write_hooks(out, options);
	write_body(out, options);
	json_out_raw(out, ",\"window\":");
	json_out_integer(out, options->window);
	json_out_raw(out, "}\n");
}

/* The gateway's own reader says what is wrong with it, here and now. */
static bool check_registration(const struct json_out *registration,
			       const struct gatepost_policy_options *options,
			       struct gatepost_error *error)
{
	struct handshake_register read;
	struct handshake_error problem;

	for (unsigned hook = 0; hook < GATEPOST_HOOK_MAX; hook++)
		if (!(options->hooks & 1u << hook) &&
		    (options->need_at[hook] || options->want_at[hook]))
			return gatepost_shape_fail(error, "usage",
						   "facts for %s, which is not among the hooks",
						   gatepost_hook_word((enum gatepost_hook)hook));
	if (handshake_read_register(registration->data, registration->len - 1, HOOK_FACTS_ALL,
				    &read, &problem))
		return true;
	return gatepost_shape_fail(error, problem.code, "%s", problem.message);
}

bool gatepost_registration_write(struct json_out *out,
				 const struct gatepost_policy_options *options,
				 struct gatepost_error *error)
{
	write_all(out, options);
	return check_registration(out, options, error);
}
