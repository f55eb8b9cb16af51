/* shape_field: the fields of a message against a table, and the checks that are made of it. */
#ifndef GATEPOST_SHAPE_FIELD_H
#define GATEPOST_SHAPE_FIELD_H

#include "shape.h"

enum gatepost_shape_type {
	SHAPE_TEXT,
	SHAPE_TEXT_MAYBE,
	SHAPE_TEXT_OR_NULL,
	SHAPE_INTEGER,
	SHAPE_INTEGER_MAYBE,
	SHAPE_POSITIVE,
	SHAPE_BOOLEAN,
	SHAPE_TRUE_MAYBE,
	SHAPE_OBJECT,
	SHAPE_OBJECT_MAYBE,
	SHAPE_STRINGS,
	SHAPE_STRINGS_MAYBE,
	SHAPE_NUMBERS
};

struct gatepost_shape_field {
	const char *name;
	enum gatepost_shape_type type;
};

/* `fields` ends with a row without a name. */
bool gatepost_shape_check_fields(const json_t *object, const struct gatepost_shape_field *fields,
				 struct gatepost_error *error);
bool gatepost_shape_is_array(const json_t *value, bool (*is)(const json_t *item));
/* Every "..._b64" below here, whatever it belongs to: what was checked can be decoded later without
 * a fault that looks like an absent value. `encoded`: this value is one itself. */
bool gatepost_shape_check_base64(const json_t *value, bool encoded);
bool gatepost_shape_check_request(const json_t *message, struct gatepost_error *error);

#endif
