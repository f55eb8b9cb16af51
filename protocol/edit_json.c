#include "edit_json.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "grow.h"
#include "strict_json.h"

/* Which fields a kind has. */
static const struct {
	bool name, bottom;
	const char *value; /* the field that becomes the value */
	const char *nth;   /* and the number */
	bool nth_required;
} shapes[EDIT_MAX] = {
	[EDIT_ADD_HEADER] = {.name = true, .bottom = true, .value = "value"},
	[EDIT_REPLACE_HEADER] = {.name = true, .value = "value", .nth = "nth"},
	[EDIT_DELETE_HEADER] = {.name = true, .nth = "nth"},
	[EDIT_SET_SENDER] = {.value = "address"},
	[EDIT_ADD_RECIPIENT] = {.value = "address"},
	[EDIT_DROP_RECIPIENT] = {.nth = "index", .nth_required = true},
};

static const char *complain(const char *field, const char *expected, const json_t *found,
			    char *problem, size_t size)
{
	char shown[STRICT_JSON_SHOWN_MAX];

	snprintf(problem, size, "\"%s\" of an edit must be %s, not %s", field, expected,
		 strict_json_show(found, shown));
	return problem;
}

static const char *read_string(const json_t *object, const char *field, char **to, char *problem,
			       size_t size)
{
	const json_t *value = json_object_get(object, field);
	size_t len = json_string_length(value);

	if (!json_is_string(value))
		return complain(field, "a string", value, problem, size);
	*to = grow_resize(NULL, len + 1);
	memcpy(*to, json_string_value(value), len + 1);
	return NULL;
}

static const char *read_number(const json_t *object, const char *field, bool required,
			       unsigned *nth, char *problem, size_t size)
{
	const json_t *value = json_object_get(object, field);
	json_int_t n = json_integer_value(value);

	*nth = 1;
	if (!value && !required)
		return NULL;
	if (!json_is_integer(value) || n < 0)
		return complain(field, "an integer of at least 0", value, problem, size);
	/* No message has so many fields: a number that does not fit means none of them. */
	*nth = n < UINT_MAX ? (unsigned)n : UINT_MAX;
	return NULL;
}

static const char *read_place(const json_t *object, bool *bottom, char *problem, size_t size)
{
	const json_t *value = json_object_get(object, "at");
	const char *word = value ? json_string_value(value) : "top";

	*bottom = word && strcmp(word, "bottom") == 0;
	if (*bottom || (word && strcmp(word, "top") == 0))
		return NULL;
	return complain("at", "\"top\" or \"bottom\"", value, problem, size);
}

static const char *read_kind(const json_t *object, enum edit_kind *kind, char *problem, size_t size)
{
	const json_t *word = json_object_get(object, "edit");
	char shown[STRICT_JSON_SHOWN_MAX];

	if (!json_is_object(object)) {
		snprintf(problem, size, "an edit must be an object, not %s",
			 strict_json_show(object, shown));
		return problem;
	}
	if (json_is_string(word) && edit_from_word(json_string_value(word), kind))
		return NULL;
	snprintf(problem, size, "unknown edit %s", strict_json_show(word, shown));
	return problem;
}

/* Whatever the result, what was read so far is in `edit`. */
static const char *read_edit(const json_t *object, struct edit *edit, char *problem, size_t size)
{
	enum edit_kind kind;

	if (read_kind(object, &kind, problem, size))
		return problem;
	edit->kind = kind;
	if (shapes[kind].name && read_string(object, "name", &edit->name, problem, size))
		return problem;
	if (shapes[kind].value &&
	    read_string(object, shapes[kind].value, &edit->value, problem, size))
		return problem;
	if (shapes[kind].bottom && read_place(object, &edit->bottom, problem, size))
		return problem;
	if (shapes[kind].nth && read_number(object, shapes[kind].nth, shapes[kind].nth_required,
					    &edit->nth, problem, size))
		return problem;
	return edit_problem(edit, problem, size);
}

const char *edit_json_read(const json_t *edits, struct verdict *verdict, char *problem, size_t size)
{
	char shown[STRICT_JSON_SHOWN_MAX];
	size_t n = json_array_size(edits);

	if (edits && !json_is_array(edits)) {
		snprintf(problem, size, "edits must be an array of objects, not %s",
			 strict_json_show(edits, shown));
		return problem;
	}
	if (n > VERDICT_EDITS_MAX) {
		snprintf(problem, size, "edits must be at most %d, not %zu", VERDICT_EDITS_MAX, n);
		return problem;
	}
	if (!n)
		return NULL;
	verdict->edits = grow_resize(NULL, n * sizeof *verdict->edits);
	memset(verdict->edits, 0, n * sizeof *verdict->edits);
	verdict->edits_len = n;
	for (size_t i = 0; i < n; i++)
		if (read_edit(json_array_get(edits, i), &verdict->edits[i], problem, size))
			return problem;
	return NULL;
}
