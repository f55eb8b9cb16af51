#include "shape_field.h"

#include <stdarg.h>
#include <stdio.h>

#include "protocol/strict_json.h"
#include "protocol/utf8.h"

bool gatepost_shape_fail(struct gatepost_error *error, const char *code, const char *format, ...)
{
	va_list args;

	snprintf(error->code, sizeof error->code, "%s", code);
	va_start(args, format);
	vsnprintf(error->message, sizeof error->message, format, args);
	va_end(args);
	utf8_make_printable(error->message);
	return false;
}

json_t *gatepost_shape_parse(const char *line, size_t len, struct gatepost_error *error)
{
	char problem[sizeof error->message];
	json_t *message = strict_json_parse(line, len, problem, sizeof problem);

	if (!message)
		gatepost_shape_fail(error, "bad_json", "%s", problem);
	return message;
}

const char *gatepost_shape_type(const json_t *message)
{
	const char *type = json_string_value(json_object_get(message, "type"));

	return type ? type : "";
}

bool gatepost_shape_is_integer(const json_t *value, json_int_t low)
{
	return json_is_integer(value) && json_integer_value(value) >= low;
}

bool gatepost_shape_is_array(const json_t *value, bool (*is)(const json_t *item))
{
	json_t *item;
	size_t i;

	if (!json_is_array(value))
		return false;
	json_array_foreach(value, i, item)
	{
		if (!is(item))
			return false;
	}
	return true;
}

static bool is_string(const json_t *item)
{
	return json_is_string(item);
}

static bool is_number(const json_t *item)
{
	return gatepost_shape_is_integer(item, 0);
}

static bool fits(const json_t *value, enum gatepost_shape_type type)
{
	switch (type) {
	case SHAPE_TEXT:
		return json_is_string(value);
	case SHAPE_TEXT_MAYBE:
		return !value || json_is_string(value);
	case SHAPE_TEXT_OR_NULL:
		return !value || json_is_null(value) || json_is_string(value);
	case SHAPE_INTEGER:
		return gatepost_shape_is_integer(value, 0);
	case SHAPE_TRUE_MAYBE:
		return !value || json_is_true(value);
	case SHAPE_INTEGER_MAYBE:
		return !value || gatepost_shape_is_integer(value, 0);
	case SHAPE_POSITIVE:
		return gatepost_shape_is_integer(value, 1);
	case SHAPE_BOOLEAN:
		return json_is_boolean(value);
	case SHAPE_OBJECT:
		return json_is_object(value);
	case SHAPE_OBJECT_MAYBE:
		return !value || json_is_object(value);
	case SHAPE_STRINGS_MAYBE:
		return !value || gatepost_shape_is_array(value, is_string);
	case SHAPE_STRINGS:
		return gatepost_shape_is_array(value, is_string);
	case SHAPE_NUMBERS:
		return gatepost_shape_is_array(value, is_number);
	}
	return false;
}

bool gatepost_shape_check_fields(const json_t *object, const struct gatepost_shape_field *fields,
				 struct gatepost_error *error)
{
	static const char *const expected[] = {
		[SHAPE_TEXT] = "a string",
		[SHAPE_TEXT_MAYBE] = "a string",
		[SHAPE_TEXT_OR_NULL] = "a string or null",
		[SHAPE_INTEGER] = "an integer of at least 0",
		[SHAPE_INTEGER_MAYBE] = "an integer of at least 0",
		[SHAPE_POSITIVE] = "an integer of at least 1",
		[SHAPE_BOOLEAN] = "true or false",
		[SHAPE_OBJECT] = "an object",
		[SHAPE_OBJECT_MAYBE] = "an object",
		[SHAPE_STRINGS_MAYBE] = "an array of strings",
		[SHAPE_STRINGS] = "an array of strings",
		[SHAPE_NUMBERS] = "an array of integers",
	};
	char shown[STRICT_JSON_SHOWN_MAX];

	for (; fields->name; fields++) {
		const json_t *value = json_object_get(object, fields->name);

		if (!fits(value, fields->type))
			return gatepost_shape_fail(
				error, "bad_message", "\"%s\" must be %s, not %s", fields->name,
				expected[fields->type], strict_json_show(value, shown));
	}
	return true;
}
