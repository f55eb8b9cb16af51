/* status_text: what the gateway tells of itself, for a reader.
 *
 *      message, and the one before it --> lines of text
 *
 * No I/O. Counts are those since the start, rates and latencies those between the two messages.
 * What a peer could have chosen is escaped. */
#ifndef STATUS_TEXT_H
#define STATUS_TEXT_H

#include <stdbool.h>

#include "base/buf.h"
#include "status_read.h"

struct status_screen {
	unsigned rows, columns; /* lines beyond are left out, lines are cut; 0: no limit */
	bool coloured;
	const char *end; /* of each line: "\n" */
};

/* Appends the lines. `before` NULL, or of another life of the gateway: since the start. */
void status_text_write(struct buf *out, const struct status *now, const struct status *before,
		       const struct status_screen *screen);

#endif
