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
#include "player_cut.h"

/* True when everything happened as written. Otherwise the fault is told on standard error. What
 * smtp_last_reply() reported is appended to `reports`, a line each. */
bool player_play(const struct dialogue *dialogue, const struct player_cut *cut,
		 struct buf *reports);

#endif
