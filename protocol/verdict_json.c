#include "verdict_json.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edit_json.h"
#include "grow.h"
#include "handshake.h"
#include "quick_json.h"
#include "strict_json.h"

__attribute__((format(printf, 3, 4))) static enum verdict_json
fail(struct verdict_json_error *error, enum verdict_json result, const char *format, ...)
{
	static const char *const codes[] = {
		[VERDICT_JSON_INVALID] = "bad_reply",
		[VERDICT_JSON_BAD_PROGRESS] = "bad_message",
		[VERDICT_JSON_UNKNOWN] = "unknown_type",
		[VERDICT_JSON_BROKEN] = "bad_message",
	};
	va_list args;

	snprintf(error->code, sizeof error->code, "%s", codes[result]);
	va_start(args, format);
	vsnprintf(error->message, sizeof error->message, format, args);
	va_end(args);
	return result;
}

static enum verdict_json fail_type(struct verdict_json_error *error, const char *field,
				   const char *expected, const json_t *found)
{
	char shown[STRICT_JSON_SHOWN_MAX];

	return fail(error, VERDICT_JSON_INVALID, "%s must be %s, not %s", field, expected,
		    strict_json_show(found, shown));
}

static enum verdict_json read_kind(const json_t *reply, struct verdict *v,
				   struct verdict_json_error *error)
{
	const json_t *value = json_object_get(reply, "verdict");
	char shown[STRICT_JSON_SHOWN_MAX];

	if (json_is_string(value) && verdict_from_word(json_string_value(value), &v->kind))
		return VERDICT_JSON_REPLY;
	return fail(error, VERDICT_JSON_INVALID,
		    "unknown verdict %s: use accept, bypass, quarantine, discard, tempfail, "
		    "reject or disconnect",
		    strict_json_show(value, shown));
}

static enum verdict_json read_code(const json_t *reply, struct verdict *v,
				   struct verdict_json_error *error)
{
	const json_t *value = json_object_get(reply, "code");
	json_int_t code = json_integer_value(value);

	if (!value)
		return VERDICT_JSON_REPLY;
	/* Three digits: 0 would mean the default and larger ones do not fit an int. */
	if (!json_is_integer(value) || code < 100 || code > 999)
		return fail_type(error, "code", "an integer of three digits such as 550", value);
	v->code = (int)code;
	return VERDICT_JSON_REPLY;
}

/* Copies a short string field; a value that is too long is as wrong as one of another type. */
static enum verdict_json read_token(const json_t *reply, const char *field, const char *expected,
				    char *to, size_t size, struct verdict_json_error *error)
{
	const json_t *value = json_object_get(reply, field);
	size_t len = json_string_length(value);

	if (!value)
		return VERDICT_JSON_REPLY;
	if (!json_is_string(value) || len < 1 || len >= size)
		return fail_type(error, field, expected, value);
	memcpy(to, json_string_value(value), len + 1);
	return VERDICT_JSON_REPLY;
}

static enum verdict_json append_line(const json_t *line, struct verdict *v,
				     struct verdict_json_error *error)
{
	size_t old = v->text ? strlen(v->text) + 1 : 0, len = json_string_length(line);
	char problem[sizeof error->message];

	if (!json_is_string(line))
		return fail_type(error, "a line of text", "a string", line);
	/* Before the lines are joined: an LF within one would pass for the end of it. */
	if (verdict_line_problem(json_string_value(line), len, problem, sizeof problem))
		return fail(error, VERDICT_JSON_INVALID, "%s", problem);
	v->text = grow_resize(v->text, old + len + 1);
	if (old)
		v->text[old - 1] = '\n';
	memcpy(v->text + old, json_string_value(line), len + 1);
	return VERDICT_JSON_REPLY;
}

static enum verdict_json read_text(const json_t *reply, struct verdict *v,
				   struct verdict_json_error *error)
{
	const json_t *value = json_object_get(reply, "text");
	size_t n = json_array_size(value);
	enum verdict_json result = VERDICT_JSON_REPLY;

	if (!value)
		return VERDICT_JSON_REPLY;
	if (json_is_string(value))
		return append_line(value, v, error);
	if (!json_is_array(value))
		return fail_type(error, "text", "a string or an array of strings", value);
	if (n < 1 || n > VERDICT_LINES_MAX)
		return fail(error, VERDICT_JSON_INVALID, "text must have 1 to %d lines, not %zu",
			    VERDICT_LINES_MAX, n);
	for (size_t i = 0; i < n && result == VERDICT_JSON_REPLY; i++)
		result = append_line(json_array_get(value, i), v, error);
	return result;
}

static enum verdict_json read_status(const json_t *reply, struct verdict *v,
				     struct verdict_json_error *error)
{
	return read_token(reply, "status", "an enhanced status code such as \"5.7.1\"", v->status,
			  sizeof v->status, error);
}

static enum verdict_json read_reason(const json_t *reply, struct verdict *v,
				     struct verdict_json_error *error)
{
	return read_token(reply, "reason", "1 to 64 characters of a-z 0-9 _ . -", v->reason,
			  sizeof v->reason, error);
}

static enum verdict_json read_ref(const json_t *reply, struct verdict *v,
				  struct verdict_json_error *error)
{
	return read_token(reply, "ref",
			  "1 to 128 characters of printable ASCII without spaces at its ends",
			  v->ref, sizeof v->ref, error);
}

static enum verdict_json read_until(const json_t *reply, struct verdict *v,
				    struct verdict_json_error *error)
{
	const json_t *value = json_object_get(reply, "until");

	if (!value ||
	    (json_is_string(value) && verdict_until_from_word(json_string_value(value), &v->until)))
		return VERDICT_JSON_REPLY;
	return fail_type(error, "until", "\"command\", \"transaction\" or \"session\"", value);
}

/* Adds a label behind a space. */
static enum verdict_json append_label(const json_t *label, struct verdict *v,
				      struct verdict_json_error *error)
{
	size_t len = json_string_length(label), old = v->labels ? strlen(v->labels) + 1 : 0;
	char problem[sizeof error->message];

	if (!json_is_string(label))
		return fail_type(error, "a label", "a string", label);
	if (verdict_label_problem(json_string_value(label), len, problem, sizeof problem))
		return fail(error, VERDICT_JSON_INVALID, "%s", problem);
	v->labels = grow_resize(v->labels, old + len + 1);
	if (old)
		v->labels[old - 1] = ' ';
	memcpy(v->labels + old, json_string_value(label), len + 1);
	return VERDICT_JSON_REPLY;
}

static enum verdict_json read_labels(const json_t *reply, struct verdict *v,
				     struct verdict_json_error *error)
{
	const json_t *value = json_object_get(reply, "labels");
	enum verdict_json result = VERDICT_JSON_REPLY;
	size_t n = json_array_size(value);

	if (!value)
		return VERDICT_JSON_REPLY;
	if (!json_is_array(value))
		return fail_type(error, "labels", "an array of strings", value);
	if (n < 1 || n > VERDICT_LABELS_MAX)
		return fail(error, VERDICT_JSON_INVALID, "labels must be 1 to %d, not %zu",
			    VERDICT_LABELS_MAX, n);
	for (size_t i = 0; i < n && result == VERDICT_JSON_REPLY; i++)
		result = append_label(json_array_get(value, i), v, error);
	return result;
}

/* An object as the text that is kept; "" for null, which is to forget. */
static enum verdict_json read_kept(const json_t *keep, const char *field, char **to,
				   struct verdict_json_error *error)
{
	const json_t *value = json_object_get(keep, field);
	char name[32], *text;
	size_t len;

	if (!value)
		return VERDICT_JSON_REPLY;
	snprintf(name, sizeof name, "keep.%s", field);
	if (!json_is_object(value) && !json_is_null(value))
		return fail_type(error, name, "an object or null", value);
	text = json_is_null(value) ? NULL : json_dumps(value, JSON_COMPACT);
	len = text ? strlen(text) : 0;
	if (len <= VERDICT_KEEP_MAX) {
		*to = grow_resize(NULL, len + 1);
		memcpy(*to, text ? text : "", len + 1);
	}
	free(text);
	if (*to)
		return VERDICT_JSON_REPLY;
	return fail(error, VERDICT_JSON_INVALID,
		    "%s has %zu octets without white space: at most %d", name, len,
		    VERDICT_KEEP_MAX);
}

static enum verdict_json read_keep(const json_t *reply, struct verdict *v,
				   struct verdict_json_error *error)
{
	const json_t *value = json_object_get(reply, "keep");
	enum verdict_json result;

	if (value && !json_is_object(value))
		return fail_type(error, "keep", "an object", value);
	result = read_kept(value, "session", &v->keep_session, error);
	if (result != VERDICT_JSON_REPLY)
		return result;
	return read_kept(value, "transaction", &v->keep_transaction, error);
}

static enum verdict_json read_edits(const json_t *reply, struct verdict *v,
				    struct verdict_json_error *error)
{
	char problem[sizeof error->message];

	if (!edit_json_read(json_object_get(reply, "edits"), v, problem, sizeof problem))
		return VERDICT_JSON_REPLY;
	return fail(error, VERDICT_JSON_INVALID, "%s", problem);
}

static enum verdict_json read_fields(const json_t *reply, struct verdict *v,
				     struct verdict_json_error *error)
{
	static enum verdict_json (*const readers[])(const json_t *reply, struct verdict *v,
						    struct verdict_json_error *error) = {
		read_kind,  read_code,	 read_status, read_text, read_reason,
		read_until, read_labels, read_ref,    read_keep, read_edits,
	};
	enum verdict_json result = VERDICT_JSON_REPLY;

	for (size_t i = 0; i < sizeof readers / sizeof readers[0] && result == VERDICT_JSON_REPLY;
	     i++)
		result = readers[i](reply, v, error);
	return result;
}

static enum verdict_json read_verdict(const json_t *reply, struct verdict *v,
				      struct verdict_json_error *error)
{
	char problem[sizeof error->message];
	enum verdict_json result;

	if (!strict_json_is_understood(reply, problem, sizeof problem))
		return fail(error, VERDICT_JSON_INVALID, "%s", problem);
	result = read_fields(reply, v, error);
	if (result == VERDICT_JSON_REPLY && verdict_problem(v, problem, sizeof problem))
		result = fail(error, VERDICT_JSON_INVALID, "%s", problem);
	if (result != VERDICT_JSON_REPLY)
		verdict_fini(v);
	return result;
}

/* A reply or a progress: which request it is about. */
static bool read_id(const json_t *object, uint64_t *id, struct verdict_json_error *error)
{
	const json_t *number = json_object_get(object, "id");
	char shown[STRICT_JSON_SHOWN_MAX];

	if (json_is_integer(number) && json_integer_value(number) >= 0) {
		*id = (uint64_t)json_integer_value(number);
		return true;
	}
	fail(error, VERDICT_JSON_BROKEN, "\"id\" must be an integer of at least 0, not %s",
	     strict_json_show(number, shown));
	return false;
}

static enum verdict_json read_reply(const json_t *object, struct verdict_message *message,
				    struct verdict_json_error *error)
{
	if (!read_id(object, &message->id, error))
		return VERDICT_JSON_BROKEN;
	return read_verdict(object, &message->verdict, error);
}

static enum verdict_json read_progress(const json_t *object, struct verdict_message *message,
				       struct verdict_json_error *error)
{
	const json_t *value = json_object_get(object, "extend_ms");
	json_int_t extend_ms = json_integer_value(value);
	char shown[STRICT_JSON_SHOWN_MAX];

	if (!read_id(object, &message->id, error))
		return VERDICT_JSON_BROKEN;
	if (!json_is_integer(value) || extend_ms < 1 || extend_ms > VERDICT_EXTEND_MAX)
		return fail(error, VERDICT_JSON_BAD_PROGRESS,
			    "\"extend_ms\" must be an integer of 1 to %d, not %s",
			    VERDICT_EXTEND_MAX, strict_json_show(value, shown));
	message->extend_ms = (long)extend_ms;
	return VERDICT_JSON_PROGRESS;
}

static enum verdict_json read_window(const json_t *object, struct verdict_message *message,
				     struct verdict_json_error *error)
{
	const json_t *value = json_object_get(object, "n");
	json_int_t n = json_integer_value(value);
	char shown[STRICT_JSON_SHOWN_MAX];

	if (!json_is_integer(value) || n < 0)
		return fail(error, VERDICT_JSON_BROKEN,
			    "\"n\" must be an integer of at least 0, not %s",
			    strict_json_show(value, shown));
	message->window = n < PROTOCOL_WINDOW_MAX ? (unsigned)n : PROTOCOL_WINDOW_MAX;
	return VERDICT_JSON_WINDOW;
}

/* Messages other than a reply: those with fields have a reader. */
static const struct {
	const char *type;
	enum verdict_json result;
	enum verdict_json (*read)(const json_t *object, struct verdict_message *message,
				  struct verdict_json_error *error);
} signals[] = {
	{"ping", VERDICT_JSON_PING, NULL},
	{"pong", VERDICT_JSON_PONG, NULL},
	{"drain", VERDICT_JSON_DRAIN, NULL},
	{"progress", VERDICT_JSON_PROGRESS, read_progress},
	{"window", VERDICT_JSON_WINDOW, read_window},
};

static enum verdict_json read_signal(const json_t *object, struct verdict_message *message,
				     struct verdict_json_error *error)
{
	const json_t *type = json_object_get(object, "type");
	char shown[STRICT_JSON_SHOWN_MAX], problem[sizeof error->message];

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		if (strcmp(json_string_value(type), signals[i].type) != 0)
			continue;
		if (!strict_json_is_understood(object, problem, sizeof problem))
			return fail(error, VERDICT_JSON_BROKEN, "%s", problem);
		return signals[i].read ? signals[i].read(object, message, error)
				       : signals[i].result;
	}
	return fail(error, VERDICT_JSON_UNKNOWN, "message type %s is not known here",
		    strict_json_show(type, shown));
}

static enum verdict_json read_message(const json_t *object, struct verdict_message *message,
				      struct verdict_json_error *error)
{
	const json_t *type = json_object_get(object, "type");
	char shown[STRICT_JSON_SHOWN_MAX];

	if (!json_is_string(type))
		return fail(error, VERDICT_JSON_BROKEN, "\"type\" must be a string, not %s",
			    strict_json_show(type, shown));
	if (strcmp(json_string_value(type), "reply") != 0)
		return read_signal(object, message, error);
	return read_reply(object, message, error);
}

enum verdict_json verdict_json_decode(const char *line, size_t len, struct verdict_message *message,
				      struct verdict_json_error *error)
{
	enum verdict_json result;
	json_t *object;

	*message = (struct verdict_message){.verdict = {.kind = VERDICT_ACCEPT}};
	error->code[0] = error->message[0] = '\0';
	if (quick_json_is_accept(line, len, &message->id))
		return VERDICT_JSON_REPLY;
	memcpy(error->code, "bad_json", sizeof "bad_json");
	object = strict_json_parse(line, len, error->message, sizeof error->message);
	if (!object)
		return VERDICT_JSON_BROKEN;
	result = read_message(object, message, error);
	json_decref(object);
	return result;
}
