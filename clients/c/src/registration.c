#include "registration.h"

#include "shape.h"
#include "protocol/handshake.h"

#define SOFTWARE "gatepost-c/" GATEPOST_VERSION

static void write_words(struct json_out *out, const char *name, const char *const *words)
{
	if (!words || !words[0])
		return;
	json_out_raw(out, name);
	for (size_t i = 0; words[i]; i++) {
		json_out_raw(out, i ? "," : "");
		json_out_text(out, words[i]);
	}
	json_out_raw(out, "]");
}

static void write_hooks(struct json_out *out, const struct gatepost_policy_options *options)
{
	bool has_need = options->need && options->need[0];
	const char *comma = "";

	json_out_raw(out, ",\"hooks\":{");
	for (unsigned hook = 0; hook < 32; hook++) {
		const char *word = gatepost_hook_word((enum gatepost_hook)hook);

		if (!(options->hooks & 1u << hook))
			continue;
		json_out_raw(out, comma);
		json_out_text(out, word ? word : "?");
		json_out_raw(out, ":{");
		write_words(out, "\"need\":[", options->need);
		write_words(out, has_need ? ",\"want\":[" : "\"want\":[", options->want);
		json_out_raw(out, "}");
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
static bool check_registration(const struct json_out *registration, struct gatepost_error *error)
{
	struct handshake_register read;
	struct handshake_error problem;

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
	return check_registration(out, error);
}
