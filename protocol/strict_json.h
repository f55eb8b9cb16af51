/* strict_json: JSON as the protocol allows it, which is less than JSON.
 *
 * One object; UTF-8; no key twice; at most 16 deep; integers within +-(2^53-1); no U+0000. Two
 * parsers that understand a line differently are a hole, so whatever some parser might read in its
 * own way is refused. */
#ifndef PROTOCOL_STRICT_JSON_H
#define PROTOCOL_STRICT_JSON_H

#include <stdbool.h>
#include <stddef.h>

#define STRICT_JSON_DEPTH_MAX	16
#define STRICT_JSON_INTEGER_MAX 9007199254740991LL /* 2^53-1: all that a double holds exactly */
#define STRICT_JSON_SHOWN_MAX	48 /* octets of a value in a message, NUL included */

struct json_t;

/* The object, to be given back with json_decref(); NULL: `problem` says why, in printable ASCII. */
struct json_t *strict_json_parse(const char *line, size_t len, char *problem, size_t size);
/* Shows a value to the author of a message: "bob", 12, null, an array. Printable ASCII, long
 * strings cut. NULL, the value of an absent key, shows as: nothing. Returns buf, which has
 * STRICT_JSON_SHOWN_MAX octets. */
const char *strict_json_show(const struct json_t *value, char *buf);
/* The same for a text of somebody else's, such as a key. */
const char *strict_json_show_text(const char *text, char *buf);
/* False when "must" names a feature: none is known to this version, and guessing is not allowed. */
bool strict_json_is_understood(const struct json_t *object, char *problem, size_t size);

#endif
