#include "strict_json.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "quick_json.h"
#include "utf8.h"

/* jansson allows 2048 levels, each of which costs stack here and in every receiver. Brackets within
 * strings do not count; a string that never ends is the parser's to refuse. */
static bool is_too_deep(const char *line, size_t len)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = line[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '['))
			depth++;
		else if (!in_string && (c == '}' || c == ']'))
			depth--;
		if (depth > STRICT_JSON_DEPTH_MAX)
			return true;
	}
	return false;
}

static bool integers_fit(json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_integer(value))
		return json_integer_value(value) <= STRICT_JSON_INTEGER_MAX &&
		       json_integer_value(value) >= -STRICT_JSON_INTEGER_MAX;
	json_array_foreach(value, i, item)
	{
		if (!integers_fit(item))
			return false;
	}
	json_object_foreach(value, key, item)
	{
		if (!integers_fit(item))
			return false;
	}
	return true;
}

json_t *strict_json_parse(const char *line, size_t len, char *problem, size_t size)
{
	json_error_t error;
	json_t *value = quick_json_object(line, len);

	if (value)
		return value;
	if (is_too_deep(line, len)) {
		snprintf(problem, size, "nested deeper than %d", STRICT_JSON_DEPTH_MAX);
		return NULL;
	}
	value = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (!value) {
		snprintf(problem, size, "not a strict JSON object: %s (octet %d)", error.text,
			 error.position);
		utf8_make_printable(problem);
		return NULL;
	}
	if (!integers_fit(value))
		snprintf(problem, size, "an integer is beyond 2^53-1");
	else if (!json_is_object(value))
		snprintf(problem, size, "not a JSON object");
	else
		return value;
	json_decref(value);
	return NULL;
}

const char *strict_json_show_text(const char *text, char *buf)
{
	int most = STRICT_JSON_SHOWN_MAX - 6; /* quotes, dots and NUL */

	snprintf(buf, STRICT_JSON_SHOWN_MAX, "\"%.*s%s\"", most, text,
		 strlen(text) > (size_t)most ? "..." : "");
	utf8_make_printable(buf);
	return buf;
}

const char *strict_json_show(const json_t *value, char *buf)
{
	if (!value)
		snprintf(buf, STRICT_JSON_SHOWN_MAX, "nothing");
	else if (json_is_string(value))
		strict_json_show_text(json_string_value(value), buf);
	else if (json_is_integer(value))
		snprintf(buf, STRICT_JSON_SHOWN_MAX, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
	else if (json_is_real(value))
		snprintf(buf, STRICT_JSON_SHOWN_MAX, "the real number %g", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(buf, STRICT_JSON_SHOWN_MAX, "%s", json_is_true(value) ? "true" : "false");
	else
		snprintf(buf, STRICT_JSON_SHOWN_MAX, "%s",
			 json_is_null(value)	? "null"
			 : json_is_array(value) ? "an array"
						: "an object");
	return buf;
}

bool strict_json_is_understood(const json_t *object, char *problem, size_t size)
{
	json_t *must = json_object_get(object, "must"), *item;
	char shown[STRICT_JSON_SHOWN_MAX];
	size_t i;

	if (!must)
		return true;
	if (!json_is_array(must)) {
		snprintf(problem, size, "\"must\" must be an array of strings, not %s",
			 strict_json_show(must, shown));
		return false;
	}
	json_array_foreach(must, i, item)
	{
		snprintf(problem, size, "\"must\" names an unknown feature: %s",
			 strict_json_show(item, shown));
		return false;
	}
	return true;
}
