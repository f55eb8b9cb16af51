#include "event_json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "strict_json.h"
#include "utf8.h"

static void put_name(struct json_out *out, const char *name)
{
	json_out_raw(out, "\"");
	json_out_raw(out, name);
	json_out_raw(out, "\":");
}

static void put_field(struct json_out *out, const struct event_field *field)
{
	if (field->type == EVENT_OCTETS) {
		json_out_octets(out, field->name, field->value.octets);
		return;
	}
	put_name(out, field->name);
	switch (field->type) {
	case EVENT_INTEGER:
		json_out_integer(out, field->value.integer);
		break;
	case EVENT_REAL:
		json_out_real(out, field->value.real);
		break;
	case EVENT_BOOLEAN:
		json_out_raw(out, field->value.boolean ? "true" : "false");
		break;
	case EVENT_TEXT:
		json_out_text(out, field->value.text);
		break;
	case EVENT_OCTETS:
		break;
	}
}

void event_json_body(struct json_out *out, const struct event *event, const char *time)
{
	json_out_raw(out, "\"time\":");
	json_out_word(out, time);
	json_out_raw(out, ",\"event\":");
	json_out_word(out, event_word(event->kind));
	if (event->session) {
		json_out_raw(out, ",\"session\":");
		json_out_word(out, event->session);
	}
	if (event->transaction) {
		json_out_raw(out, ",\"transaction\":");
		json_out_word(out, event->transaction);
	}
	json_out_raw(out, ",\"data\":{");
	for (size_t i = 0; i < event->fields_len; i++) {
		if (i)
			json_out_raw(out, ",");
		put_field(out, &event->fields[i]);
	}
	json_out_raw(out, "}");
}

void event_json_line(struct json_out *out, uint64_t seq, uint64_t prev, const char *body,
		     size_t len)
{
	json_out_raw(out, "{\"type\":\"event\",\"seq\":");
	json_out_integer(out, (int64_t)seq);
	json_out_raw(out, ",\"prev\":");
	json_out_integer(out, (int64_t)prev);
	json_out_raw(out, ",");
	json_out_raw_octets(out, body, len);
	json_out_raw(out, "}\n");
}

void event_json_gap(struct json_out *out, uint64_t from, uint64_t to, const char *why)
{
	json_out_raw(out, "{\"type\":\"gap\"");
	if (from) {
		json_out_raw(out, ",\"from\":");
		json_out_integer(out, (int64_t)from);
		json_out_raw(out, ",\"to\":");
		json_out_integer(out, (int64_t)to);
		json_out_raw(out, ",\"lost\":");
		json_out_integer(out, (int64_t)(to - from + 1));
	}
	json_out_raw(out, ",\"why\":");
	json_out_text(out, why);
	json_out_raw(out, "}\n");
}

void event_json_heartbeat(struct json_out *out, const char *time, uint64_t seq, uint64_t head,
			  uint64_t lost_total)
{
	json_out_raw(out, "{\"type\":\"heartbeat\",\"time\":");
	json_out_text(out, time);
	json_out_raw(out, ",\"seq\":");
	json_out_integer(out, (int64_t)seq);
	json_out_raw(out, ",\"head\":");
	json_out_integer(out, (int64_t)head);
	json_out_raw(out, ",\"lost_total\":");
	json_out_integer(out, (int64_t)lost_total);
	json_out_raw(out, "}\n");
}

/* What a terminal obeys instead of showing it: controls of both kinds, and the signs that turn the
 * direction of writing, with which a name can look like another one. */
static bool is_for_terminals(unsigned code_point)
{
	return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) ||
	       code_point == 0x61c || (code_point >= 0x200b && code_point <= 0x200f) ||
	       (code_point >= 0x2028 && code_point <= 0x202e) ||
	       (code_point >= 0x2060 && code_point <= 0x206f) || code_point == 0xfeff;
}

/* One character of a string, of n octets. */
static void show_character(struct json_out *out, const char *text, size_t n)
{
	unsigned code_point = utf8_code_point(text, n);
	char escape[16];

	if (is_for_terminals(code_point)) {
		snprintf(escape, sizeof escape, "\\u%04x", code_point);
		json_out_raw(out, escape);
		return;
	}
	if (code_point == '"' || code_point == '\\')
		json_out_raw(out, "\\");
	json_out_raw_octets(out, text, n);
}

static void show_string(struct json_out *out, const char *text, size_t len)
{
	bool quoted = !len || strcspn(text, " \"\\=") < len;
	size_t n;

	if (quoted)
		json_out_raw(out, "\"");
	for (size_t i = 0; i < len; i += n) {
		n = utf8_length(text + i, len - i);
		if (!n)
			break; /* cannot be: jansson has looked at it */
		show_character(out, text + i, n);
	}
	if (quoted)
		json_out_raw(out, "\"");
}

static void show_value(struct json_out *out, const json_t *value)
{
	char *text;

	if (json_is_string(value)) {
		show_string(out, json_string_value(value), json_string_length(value));
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
	json_out_raw(out, text ? text : "?");
	free(text);
}

/* "name=value name=value", owned by the caller. */
static char *show_fields(json_t *object)
{
	struct json_out out = {0};
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		if (out.len)
			json_out_raw(&out, " ");
		show_string(&out, name, strlen(name));
		json_out_raw(&out, "=");
		show_value(&out, value);
	}
	json_out_raw_octets(&out, "", 1);
	return out.data;
}

/* A copy of a string field, safe to print; NULL when there is no such field. */
static char *show_field(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	struct json_out out = {0};

	if (!json_is_string(value))
		return NULL;
	show_string(&out, json_string_value(value), json_string_length(value));
	json_out_raw_octets(&out, "", 1);
	return out.data;
}

/* The same without quotes around it or inside: a sentence for a human reader. */
static char *show_sentence(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	struct json_out out = {0};
	const char *text;
	size_t n;

	if (!json_is_string(value))
		return NULL;
	for (text = json_string_value(value); *text; text += n) {
		n = utf8_length(text, strlen(text));
		if (!n)
			break; /* cannot be: jansson has looked at it */
		if (*text == '"' || *text == '\\')
			json_out_raw_octets(&out, text, n);
		else
			show_character(&out, text, n);
	}
	json_out_raw_octets(&out, "", 1);
	return out.data;
}

static bool read_error(const json_t *message, struct event_line *read)
{
	read->type = EVENT_LINE_ERROR;
	read->code = show_sentence(message, "code");
	read->message = show_sentence(message, "message");
	return read->code && read->message;
}

static bool read_event(const json_t *message, struct event_line *read)
{
	json_t *data = json_object_get(message, "data");

	read->type = EVENT_LINE_EVENT;
	read->time = show_field(message, "time");
	read->event = show_field(message, "event");
	read->session = show_field(message, "session");
	read->transaction = show_field(message, "transaction");
	if (!read->time || !read->event || !json_is_object(data))
		return false;
	read->data = show_fields(data);
	return true;
}

static bool read_message(json_t *message, struct event_line *read)
{
	const char *type = json_string_value(json_object_get(message, "type"));

	if (!type)
		return false;
	if (!strcmp(type, "event"))
		return read_event(message, read);
	if (!strcmp(type, "error"))
		return read_error(message, read);
	if (!strcmp(type, "gap")) {
		read->type = EVENT_LINE_GAP;
		json_object_del(message, "type");
		read->data = show_fields(message);
	}
	return true;
}

bool event_json_read(const char *line, size_t len, struct event_line *read)
{
	char problem[256];
	json_t *message = strict_json_parse(line, len, problem, sizeof problem);
	bool ok;

	*read = (struct event_line){.type = EVENT_LINE_OTHER};
	if (!message)
		return false;
	ok = read_message(message, read);
	json_decref(message);
	if (!ok)
		event_line_fini(read);
	return ok;
}

void event_line_fini(struct event_line *read)
{
	free(read->time);
	free(read->event);
	free(read->session);
	free(read->transaction);
	free(read->code);
	free(read->message);
	free(read->data);
	*read = (struct event_line){.type = EVENT_LINE_OTHER};
}
