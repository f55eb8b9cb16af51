/* player: plays a dialogue against the SMTP engine, in memory, with the client's octets cut in a
 * given way.
 *
 *      items --C: R:--> [cut] --> in --> smtp_step() --> out --S: H: D: T: X:--> compared with the
 * next item */
#ifndef PLAYER_H
#define PLAYER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "dialogue.h"

struct player_cut {
	enum {
		PLAYER_WHOLE,	/* each batch at once */
		PLAYER_SPLIT,	/* the batch `batch` in two pieces, the first of `at` octets
				 */
		PLAYER_BYTES,	/* octet by octet, each after the engine asked for it */
		PLAYER_TRICKLE, /* an octet arrives whenever the engine returns, whatever it waits
				   for */
	} kind;
	const struct dialogue_item *batch;
	size_t at;
};

/* True when everything happened as written. Otherwise the fault is told on standard error. What
 * smtp_last_reply() reported is appended to `reports`, a line each. */
bool player_play(const struct dialogue *dialogue, const struct player_cut *cut,
		 struct buf *reports);

#endif
