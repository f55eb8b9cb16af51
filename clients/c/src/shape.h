/* shape: what the messages of a gateway must look like before anybody reads them. */
#ifndef GATEPOST_SHAPE_H
#define GATEPOST_SHAPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include <gatepost/error.h>

/* Always false. */
__attribute__((format(printf, 3, 4))) bool
gatepost_shape_fail(struct gatepost_error *error, const char *code, const char *format, ...);
/* The message of a line; NULL: `error`. Free with json_decref(). */
json_t *gatepost_shape_parse(const char *line, size_t len, struct gatepost_error *error);
/* The word under "type", "" when there is none. */
const char *gatepost_shape_type(const json_t *message);
/* Whether a message of a type that gateways send, and that this version knows, has the right
 * fields. Fields that are not known are ignored. */
bool gatepost_shape_check(const json_t *message, struct gatepost_error *error);
/* Whether this is that integer of at least `low`. */
bool gatepost_shape_is_integer(const json_t *value, json_int_t low);

#endif
