/* readiness: whether the gateway should be given clients, and if not, why.
 *
 * Not ready: it stops; no worker has taken connections yet; a worker has not for 10 s, for it is
 * gone or hangs; a required service is away. A worker that is replaced is away for a moment, which
 * the others bear.
 *
 * A function of the shared counters and of the time; what it remembers is when each worker was
 * last seen serving, so it is to be asked about once a second. It has no clock of its own. */
#ifndef MONITOR_READINESS_H
#define MONITOR_READINESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "shared/counters.h"

#define READINESS_PATIENCE 10 /* seconds that a worker may be away */
#define READINESS_PULSE	   3  /* seconds within which a loop that does not hang has turned */

/* All zero at first. */
struct readiness {
	bool served; /* some worker has */
	unsigned workers;
	uint64_t seen[COUNTERS_WORKERS]; /* serving, or its place made: CLOCK_MONOTONIC, seconds */
};

/* `now` is CLOCK_MONOTONIC in seconds. Ready: true, and nothing is added to `reasons`. Else one
 * line is added for each reason, with its LF; a `reasons` that is full holds the first ones. NULL:
 * nobody wants them. */
bool readiness_look(struct readiness *r, struct counters *c, uint64_t now, struct buf *reasons);

#endif
