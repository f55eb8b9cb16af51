#include "handshake.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "event.h"
#include "strict_json.h"
#include "utf8.h"

#define WINDOW_DEFAULT 64

__attribute__((format(printf, 3, 4))) static bool fail(struct handshake_error *error,
						       const char *code, const char *format, ...)
{
	va_list args;

	snprintf(error->code, sizeof error->code, "%s", code);
	va_start(args, format);
	vsnprintf(error->message, sizeof error->message, format, args);
	va_end(args);
	return false;
}

static bool fail_type(struct handshake_error *error, const char *field, const char *expected,
		      const json_t *found)
{
	char shown[STRICT_JSON_SHOWN_MAX];

	return fail(error, "bad_message", "\"%s\" must be %s, not %s", field, expected,
		    strict_json_show(found, shown));
}

/* An object of the wanted type, of a version and with features that we know; NULL otherwise. */
static json_t *read_first(const char *line, size_t len, const char *type,
			  struct handshake_error *error)
{
	json_t *message, *found, *version;
	char problem[sizeof error->message];
	bool ok = false;

	message = strict_json_parse(line, len, problem, sizeof problem);
	if (!message) {
		fail(error, "bad_json", "%s", problem);
		return NULL;
	}
	found = json_object_get(message, "type");
	version = json_object_get(message, "version");
	if (!json_is_string(found) || strcmp(json_string_value(found), type) != 0)
		fail(error, "bad_message", "expected a message of type \"%s\", not %s", type,
		     strict_json_show(found, problem));
	else if (!strict_json_is_understood(message, problem, sizeof problem))
		fail(error, "bad_message", "%s", problem);
	else if (!json_is_integer(version) || json_integer_value(version) < 0)
		fail_type(error, "version", "an integer", version);
	else if (json_integer_value(version) != PROTOCOL_VERSION)
		fail(error, "version", "version %lld is not known: use %d",
		     (long long)json_integer_value(version), PROTOCOL_VERSION);
	else
		ok = true;
	if (ok)
		return message;
	json_decref(message);
	return NULL;
}

/* Copies an optional string for the log: printable ASCII, cut to what fits. */
static bool read_name(const json_t *message, const char *field, char *to, size_t size,
		      struct handshake_error *error)
{
	const json_t *value = json_object_get(message, field);

	to[0] = '\0';
	if (!value)
		return true;
	if (!json_is_string(value))
		return fail_type(error, field, "a string", value);
	snprintf(to, size, "%s", json_string_value(value));
	utf8_make_printable(to);
	return true;
}

/* True for an absent value and for an array of strings. */
static bool check_strings(const json_t *value, const char *field, struct handshake_error *error)
{
	char shown[STRICT_JSON_SHOWN_MAX];
	json_t *item;
	size_t i;

	if (value && !json_is_array(value))
		return fail_type(error, field, "an array of strings", value);
	json_array_foreach(value, i, item)
	{
		if (!json_is_string(item))
			return fail(error, "bad_message",
				    "\"%s\" must be an array of strings, and it has %s", field,
				    strict_json_show(item, shown));
	}
	return true;
}

/* NULL: a request of this hook can have the fact; else why not. */
static const char *fact_problem(const char *word, enum hook hook, unsigned facts)
{
	enum hook_fact fact;

	if (!hook_fact_from_word(word, &fact))
		return "which is not known";
	if (!(hook_facts(hook) & 1u << fact))
		return "which is never there at this hook";
	if (!(facts & 1u << fact))
		return "which no listener that asks this service can tell";
	return NULL;
}

/* Whether a list of words with spaces between them has this one. */
static bool has_word(const char *words, const char *word)
{
	size_t len;

	for (; *words; words += len + (words[len] == ' ')) {
		len = strcspn(words, " ");
		if (len == strlen(word) && !memcmp(words, word, len))
			return true;
	}
	return false;
}

static bool add_missing(struct handshake_register *reg, const char *fact,
			struct handshake_error *error)
{
	size_t used = strlen(reg->missing);
	char word[64];

	snprintf(word, sizeof word, "%s", *fact ? fact : "?");
	for (char *p = word; *p; p++)
		if (*p <= ' ' || *p > '~')
			*p = '?';
	if (has_word(reg->missing, word))
		return true;
	if (used + 1 + strlen(word) >= sizeof reg->missing)
		return fail(error, "bad_message", "\"want\" names too many unknown facts");
	snprintf(reg->missing + used, sizeof reg->missing - used, "%s%s", used ? " " : "", word);
	return true;
}

static bool read_hook(const char *name, const json_t *options, unsigned facts,
		      struct handshake_register *reg, struct handshake_error *error)
{
	const json_t *need = json_object_get(options, "need"),
		     *want = json_object_get(options, "want");
	char shown[STRICT_JSON_SHOWN_MAX];
	const char *problem;
	enum hook hook;
	json_t *fact;
	size_t i;

	if (!hook_from_word(name, &hook))
		return fail(error, "unknown_hook", "hook %s is not known",
			    strict_json_show_text(name, shown));
	if (!json_is_object(options))
		return fail(error, "bad_message",
			    "the options of hook %s must be an object, not %s", name,
			    strict_json_show(options, shown));
	if (!check_strings(need, "need", error) || !check_strings(want, "want", error))
		return false;
	json_array_foreach(need, i, fact)
	{
		problem = fact_problem(json_string_value(fact), hook, facts);
		if (problem)
			return fail(error, "need_unavailable", "hook %s needs %s, %s", name,
				    strict_json_show(fact, shown), problem);
	}
	json_array_foreach(want, i, fact)
	{
		if (fact_problem(json_string_value(fact), hook, facts) &&
		    !add_missing(reg, json_string_value(fact), error))
			return false;
	}
	reg->hooks |= 1u << hook;
	return true;
}

static bool read_hooks(const json_t *message, unsigned facts, struct handshake_register *reg,
		       struct handshake_error *error)
{
	json_t *hooks = json_object_get(message, "hooks"), *options;
	const char *name;

	if (!json_is_object(hooks))
		return fail_type(error, "hooks", "an object", hooks);
	if (!json_object_size(hooks))
		return fail(error, "bad_message", "\"hooks\" is empty: name at least one");
	json_object_foreach(hooks, name, options)
	{
		if (!read_hook(name, options, facts, reg, error))
			return false;
	}
	return true;
}

static void add_body_mode(struct handshake_register *reg, enum hook_body_mode mode)
{
	for (size_t i = 0; i < reg->body_len; i++)
		if (reg->body[i] == mode)
			return; /* said before: the first place counts */
	reg->body[reg->body_len++] = mode;
}

static bool read_body(const json_t *message, struct handshake_register *reg,
		      struct handshake_error *error)
{
	const json_t *modes = json_object_get(message, "body");
	enum hook_body_mode mode = HOOK_BODY_NONE;
	char shown[STRICT_JSON_SHOWN_MAX];
	json_t *item;
	size_t i;

	if (!check_strings(modes, "body", error))
		return false;
	if (modes && !json_array_size(modes))
		return fail(error, "bad_message", "the list of body modes is empty");
	json_array_foreach(modes, i, item)
	{
		if (!hook_body_mode_from_word(json_string_value(item), &mode))
			return fail(
				error, "body_unknown",
				"body mode %s is not known: use none, headers, inline, path, fd",
				strict_json_show(item, shown));
		add_body_mode(reg, mode);
	}
	/* Large messages do not fit inline, and to ask without the content would be a lie. */
	if (mode == HOOK_BODY_INLINE)
		return fail(error, "body_no_fallback",
			    "body mode \"inline\" needs a fallback after it, such as \"path\"");
	if (!reg->body_len)
		add_body_mode(reg, HOOK_BODY_NONE);
	return true;
}

static bool read_window(const json_t *message, struct handshake_register *reg,
			struct handshake_error *error)
{
	const json_t *window = json_object_get(message, "window");
	json_int_t value = window ? json_integer_value(window) : WINDOW_DEFAULT;

	if (window && (!json_is_integer(window) || value < 1))
		return fail_type(error, "window", "an integer of at least 1", window);
	reg->window = value < PROTOCOL_WINDOW_MAX ? (unsigned)value : PROTOCOL_WINDOW_MAX;
	return true;
}

bool handshake_read_register(const char *line, size_t len, unsigned facts,
			     struct handshake_register *reg, struct handshake_error *error)
{
	json_t *message = read_first(line, len, "register", error);
	bool ok;

	*reg = (struct handshake_register){0};
	if (!message)
		return false;
	ok = read_hooks(message, facts, reg, error) &&
	     read_name(message, "service", reg->service, sizeof reg->service, error) &&
	     read_name(message, "software", reg->software, sizeof reg->software, error) &&
	     read_body(message, reg, error) && read_window(message, reg, error);
	json_decref(message);
	return ok;
}

static bool read_events(const json_t *message, struct handshake_subscribe *subscribe,
			struct handshake_error *error)
{
	const json_t *events = json_object_get(message, "events");
	char shown[STRICT_JSON_SHOWN_MAX];
	json_t *item;
	size_t i;

	if (!events)
		return event_match("*", &subscribe->events);
	if (!check_strings(events, "events", error))
		return false;
	json_array_foreach(events, i, item)
	{
		if (!event_match(json_string_value(item), &subscribe->events))
			return fail(error, "unknown_event", "event %s is not known",
				    strict_json_show(item, shown));
	}
	return true;
}

static bool read_position(const json_t *from, struct handshake_subscribe *subscribe,
			  struct handshake_error *error)
{
	const json_t *seq = json_object_get(from, "seq");

	subscribe->from = HANDSHAKE_AFTER;
	if (!json_object_get(from, "epoch"))
		return fail_type(error, "epoch", "a string", NULL);
	/* One that is too long is cut: it is none of ours and stays so. */
	if (!read_name(from, "epoch", subscribe->epoch, sizeof subscribe->epoch, error))
		return false;
	if (!json_is_integer(seq) || json_integer_value(seq) < 0)
		return fail_type(error, "seq", "an integer of at least 0", seq);
	subscribe->seq = (uint64_t)json_integer_value(seq);
	return true;
}

static bool read_from(const json_t *message, struct handshake_subscribe *subscribe,
		      struct handshake_error *error)
{
	const json_t *from = json_object_get(message, "from");
	const char *word = json_string_value(from);

	if (json_is_object(from))
		return read_position(from, subscribe, error);
	if (!from || (word && !strcmp(word, "now")))
		subscribe->from = HANDSHAKE_NOW;
	else if (word && !strcmp(word, "oldest"))
		subscribe->from = HANDSHAKE_OLDEST;
	else
		return fail_type(error, "from",
				 "\"now\", \"oldest\" or an object with epoch and seq", from);
	return true;
}

static bool read_on_lag(const json_t *message, struct handshake_subscribe *subscribe,
			struct handshake_error *error)
{
	const json_t *on_lag = json_object_get(message, "on_lag");
	const char *word = json_string_value(on_lag);

	subscribe->close_on_lag = word && !strcmp(word, "close");
	if (on_lag && !subscribe->close_on_lag && (!word || strcmp(word, "gap") != 0))
		return fail_type(error, "on_lag", "\"gap\" or \"close\"", on_lag);
	return true;
}

bool handshake_read_subscribe(const char *line, size_t len, struct handshake_subscribe *subscribe,
			      struct handshake_error *error)
{
	json_t *message = read_first(line, len, "subscribe", error);
	bool ok;

	*subscribe = (struct handshake_subscribe){0};
	if (!message)
		return false;
	ok = read_name(message, "name", subscribe->name, sizeof subscribe->name, error) &&
	     read_events(message, subscribe, error) && read_from(message, subscribe, error) &&
	     read_on_lag(message, subscribe, error);
	json_decref(message);
	return ok;
}

static const char *const grant_words[] = {[HANDSHAKE_GRANT_BYPASS] = "bypass"};

const char *handshake_grant_word(enum handshake_grant grant)
{
	return grant_words[grant];
}

bool handshake_grant_from_word(const char *word, enum handshake_grant *grant)
{
	for (unsigned i = 0; i < HANDSHAKE_GRANT_MAX; i++) {
		if (!strcmp(grant_words[i], word)) {
			*grant = (enum handshake_grant)i;
			return true;
		}
	}
	return false;
}
