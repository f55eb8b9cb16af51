/* drive_break: a gateway that misbehaves once, and what the service makes of it. */
#ifndef DRIVE_BREAK_H
#define DRIVE_BREAK_H

#include <stdbool.h>

#include "drive_wire.h"
#include "protocol/hook.h"

enum drive_break {
	DRIVE_BREAK_HALF_LINE,	  /* ends in the middle of a request */
	DRIVE_BREAK_GARBAGE,	  /* a line that is no JSON */
	DRIVE_BREAK_CLOSE,	  /* goes away before the reply */
	DRIVE_BREAK_UNKNOWN_TYPE, /* a message of a later version */
	DRIVE_BREAK_DUPLICATE_ID, /* two requests with one id */
	DRIVE_BREAK_MAX
};

bool drive_break_from_word(const char *word, enum drive_break *mode);
/* Does it, prints what the service did, and asks once more on a new connection. DRIVE_GO_ON when
 * the service kept the protocol and still answers, else the exit code. The wire is connected, and
 * closed after it. */
int drive_break(struct drive_wire *wire, enum drive_break mode, enum hook hook);

#endif
