#include "config_lines.h"

#include <cyaml/cyaml.h>
#include <stdint.h>
#include <string.h>
#include <yaml.h>

/* The schema needs six. libyaml takes time in the square of the depth: a file of 1M brackets,
 * hours. */
#define DEPTH_MAX 16

struct walk {
	struct config_source *source;
	const char *data;
	size_t len;
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	size_t depth;	    /* lists and mappings open after it */
	bool loadable;
};

static size_t line_now(const struct walk *w)
{
	return w->event.start_mark.line + 1;
}

__attribute__((format(printf, 3, 4))) static void form_fault(struct walk *w, const char *path,
							     const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	config_source_fault_at(w->source, line_now(w), path, "%s", message);
	w->loadable = false;
}

/* True when a tab stands before the first word of the line, libyaml's least helpful complaint. */
static bool line_starts_with_tab(const struct walk *w, size_t line)
{
	const char *at = w->data, *end = w->data + w->len;

	while (at < end && line > 1)
		line -= *at++ == '\n';
	while (at < end && *at == ' ')
		at++;
	return at < end && *at == '\t';
}

static void syntax_fault(struct walk *w)
{
	const yaml_parser_t *p = &w->parser;
	size_t line = p->problem_mark.line + 1;

	w->loadable = false;
	if (p->error == YAML_MEMORY_ERROR) {
		config_source_fault_at(w->source, 0, "", "not enough memory to read it");
	} else if (p->error == YAML_READER_ERROR) {
		line = 1;
		for (size_t i = 0; i < p->problem_offset && i < w->len; i++)
			line += w->data[i] == '\n';
		config_source_fault_at(w->source, line, "", "not a text file in UTF-8: %s",
				       p->problem);
	} else if (line_starts_with_tab(w, line)) {
		config_source_fault_at(w->source, line, "",
				       "not valid YAML: a tab; indent with spaces");
	} else {
		config_source_fault_at(w->source, line, "", "not valid YAML: %s%s%s",
				       p->context ? p->context : "", p->context ? ", " : "",
				       p->problem ? p->problem : "unknown problem");
	}
}

/* An alias is the seed of an entity bomb: nine lines that stand for billions. No setting needs one,
 * nor a tag. */
static bool event_is_plain(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return false;
	case YAML_SCALAR_EVENT:
		return !e->data.scalar.anchor && !e->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return !e->data.sequence_start.anchor && !e->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return !e->data.mapping_start.anchor && !e->data.mapping_start.tag;
	default:
		return true;
	}
}

/* The next event becomes the current one. False: the walk is over, after a fault. */
static bool next(struct walk *w)
{
	yaml_event_delete(&w->event);
	if (!yaml_parser_parse(&w->parser, &w->event)) {
		syntax_fault(w);
		return false;
	}
	if (!event_is_plain(&w->event)) {
		form_fault(w, "",
			   "anchors (&), aliases (*) and tags (!) are not read here; "
			   "write the value itself, in quotes if it starts so");
		return false;
	}
	if (w->event.type == YAML_SEQUENCE_START_EVENT || w->event.type == YAML_MAPPING_START_EVENT)
		w->depth++;
	if (w->event.type == YAML_SEQUENCE_END_EVENT || w->event.type == YAML_MAPPING_END_EVENT)
		w->depth--;
	if (w->depth > DEPTH_MAX) {
		form_fault(w, "", "nested too deeply; no setting needs more than 6 levels");
		return false;
	}
	return true;
}

/* Goes to the last event of the current value. */
static bool skip_value(struct walk *w)
{
	size_t outside = w->depth;

	if (w->event.type == YAML_SCALAR_EVENT)
		return true;
	for (outside--; w->depth > outside;) {
		if (!next(w))
			return false;
	}
	return true;
}

static bool skip_next_value(struct walk *w)
{
	return next(w) && skip_value(w);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many octets must be added, removed or changed to make one word of the other (Levenshtein). */
static size_t word_distance(const char *a, const char *b)
{
	enum { WORD_MAX = 32 };
	size_t row[WORD_MAX + 1], a_len = strlen(a), b_len = strlen(b);

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t changed = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			row[j] = least(changed, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[b_len];
}

static void unknown_fault(struct walk *w, const cyaml_schema_field_t *fields, const char *key,
			  const char *member)
{
	const char *near = NULL;
	size_t distance = 3; /* two slips of the finger, not another word */
	char known[256] = "";

	for (size_t i = 0, at = 0; fields[i].key; i++) {
		size_t n = word_distance(key, fields[i].key);

		if (n < distance) {
			distance = n;
			near = fields[i].key;
		}
		at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "",
				       fields[i].key);
		at = least(at, sizeof known - 1);
	}
	if (near)
		config_source_fault_at(w->source, line_now(w), member,
				       "unknown setting; did you mean %s?", near);
	else
		config_source_fault_at(w->source, line_now(w), member,
				       "unknown setting; known here: %s", known);
}

static bool walk_value(struct walk *w, const cyaml_schema_value_t *schema, const char *path);

/* The current event is a key. */
static bool walk_member(struct walk *w, const cyaml_schema_field_t *fields, const char *path,
			uint64_t *seen)
{
	char key[CONFIG_QUOTE_SIZE], member[CONFIG_PATH_SIZE];
	unsigned i = 0;

	if (w->event.type != YAML_SCALAR_EVENT) {
		form_fault(w, path, "a list or a mapping cannot be a setting's name");
		return skip_value(w) && skip_next_value(w);
	}
	config_source_quote((char *)w->event.data.scalar.value, w->event.data.scalar.length, key);
	snprintf(member, sizeof member, "%s%s%s", path, *path ? "." : "", key);
	while (fields[i].key && strcmp(fields[i].key, key) != 0)
		i++;
	if (!fields[i].key) {
		unknown_fault(w, fields, key, member);
		return skip_next_value(w);
	}
	if (*seen & (UINT64_C(1) << i)) {
		form_fault(w, member, "set twice; remove one");
		return skip_next_value(w);
	}
	*seen |= UINT64_C(1) << i;
	config_source_add_line(w->source, member, line_now(w));
	return next(w) && walk_value(w, &fields[i].value, member);
}

static bool walk_mapping(struct walk *w, const cyaml_schema_field_t *fields, const char *path)
{
	uint64_t seen = 0;

	while (next(w)) {
		if (w->event.type == YAML_MAPPING_END_EVENT)
			return true;
		if (!walk_member(w, fields, path, &seen))
			return false;
	}
	return false;
}

static bool walk_list(struct walk *w, const cyaml_schema_value_t *schema, const char *path)
{
	char entry[CONFIG_PATH_SIZE];
	size_t line = line_now(w);

	for (uint32_t i = 0; next(w); i++) {
		if (w->event.type == YAML_SEQUENCE_END_EVENT) {
			if (i >= schema->sequence.min)
				return true;
			config_source_fault_at(w->source, line, path, "needs at least %u %s",
					       schema->sequence.min,
					       schema->sequence.min == 1 ? "entry" : "entries");
			w->loadable = false;
			return true;
		}
		if (i == schema->sequence.max)
			form_fault(w, path, "takes at most %u %s; remove the rest", i,
				   i == 1 ? "entry" : "entries");
		if (i >= schema->sequence.max) {
			if (!skip_value(w))
				return false;
			continue;
		}
		snprintf(entry, sizeof entry, "%s[%u]", path, i);
		config_source_add_line(w->source, entry, line_now(w));
		if (!walk_value(w, schema->sequence.entry, entry))
			return false;
	}
	return false;
}

static bool walk_text(struct walk *w, const char *path)
{
	/* What follows a NUL would be lost in a C string: "inbox\0x" is not inbox. */
	if (memchr(w->event.data.scalar.value, 0, w->event.data.scalar.length))
		form_fault(w, path, "holds a NUL character; remove it");
	return true;
}

/* The current event is the first one of the value; afterwards it is its last one. */
static bool walk_value(struct walk *w, const cyaml_schema_value_t *schema, const char *path)
{
	switch (w->event.type) {
	case YAML_SCALAR_EVENT:
		if (schema->type == CYAML_STRING)
			return walk_text(w, path);
		break;
	case YAML_SEQUENCE_START_EVENT:
		if (schema->type == CYAML_SEQUENCE)
			return walk_list(w, schema, path);
		break;
	case YAML_MAPPING_START_EVENT:
		if (schema->type == CYAML_MAPPING)
			return walk_mapping(w, schema->mapping.fields, path);
		break;
	default:
		break;
	}
	if (schema->type == CYAML_STRING)
		form_fault(w, path, "must be one value, not a list or a mapping");
	else if (schema->type == CYAML_SEQUENCE)
		form_fault(w, path, "must be a list, one `- entry` a line or [entry, entry]");
	else
		form_fault(w, path, "must hold settings, one `key: value` a line");
	return skip_value(w);
}

static bool walk_file(struct walk *w, const cyaml_schema_value_t *schema)
{
	if (!next(w) || !next(w)) /* the stream's start, then the document's */
		return false;
	if (w->event.type == YAML_STREAM_END_EVENT) {
		config_source_fault(
			w->source, "",
			"is empty; `gatepost check --defaults` prints what it can hold");
		return false;
	}
	if (!next(w) || !walk_value(w, schema, ""))
		return false;
	if (!next(w) || !next(w)) /* the document's end, then the stream's */
		return false;
	if (w->event.type != YAML_STREAM_END_EVENT)
		form_fault(w, "", "a second document starts here; one file holds one");
	return w->loadable;
}

bool config_lines_read(struct config_source *source, const char *data, size_t len,
		       const struct cyaml_schema_value *schema)
{
	struct walk w = {.source = source, .data = data, .len = len, .loadable = true};
	bool loadable;

	if (!yaml_parser_initialize(&w.parser)) {
		config_source_fault(source, "", "not enough memory to read it");
		return false;
	}
	/* Never guessed: UTF-16 would be converted here and be nonsense in every message. */
	yaml_parser_set_encoding(&w.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&w.parser, (const unsigned char *)data, len);
	loadable = walk_file(&w, schema);
	yaml_event_delete(&w.event);
	yaml_parser_delete(&w.parser);
	return loadable;
}
