/* edit_json: the edits of a reply, strictly read. */
#ifndef PROTOCOL_EDIT_JSON_H
#define PROTOCOL_EDIT_JSON_H

#include <stddef.h>

#include "verdict.h"

struct json_t;

/* Puts the edits into the verdict, which owns them; `edits` NULL: there are none. NULL when each
 * has the fields of its kind and keeps the rules of edit_problem(); else what is wrong, for the
 * service's author, in `problem` (printable ASCII): the verdict is of no use then, and is still to
 * be freed. */
const char *edit_json_read(const struct json_t *edits, struct verdict *verdict, char *problem,
			   size_t size);

#endif
