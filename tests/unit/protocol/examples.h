/* examples: the files below protocol/examples, for tests. Whatever goes wrong fails the test that
 * asked. */
#ifndef EXAMPLES_H
#define EXAMPLES_H

#include <stddef.h>

#include "protocol/json_out.h"

/* The first line of a file such as "valid/reply-accept.json", without its LF; free() it. */
char *examples_read(const char *name, size_t *len);
/* Calls `each` with every file of "valid" or "invalid" whose name begins with the prefix; returns
 * how many. */
unsigned examples_each(const char *folder, const char *prefix,
		       void (*each)(const char *name, const char *line, size_t len));
/* Fails unless the text is the whole file, LF included. Empties `out`. */
void examples_assert_equal(struct json_out *out, const char *name);

#endif
