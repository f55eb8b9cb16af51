/* metrics_text: all numbers of the gateway as Prometheus reads them; the metrics are the rows of
 * metrics.def.
 *
 * A function of the shared counters and of what is given along. The processes of a worker are
 * summed up: a counter goes on after its process has died. Of a policy's hooks, a worker's
 * commands and the like, those that never had anything to count are left out. */
#ifndef MONITOR_METRICS_TEXT_H
#define MONITOR_METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "shared/counters.h"

struct metrics_facts {
	struct counters *counters;
	bool ready;
	const char *version; /* "0.1.0" */
	unsigned subscribers;
	uint64_t ring_events;
	const char *(*command_word)(unsigned verb); /* "MAIL", of an index of `replies` */
};

/* Appends it. A `out` that overflows holds a part. */
void metrics_text(struct buf *out, const struct metrics_facts *facts);

struct metrics_row {
	char name[64];	  /* with its prefix */
	char labels[64];  /* "worker, policy"; "" for none */
	const char *type; /* "counter" */
	const char *help;
};

/* The i-th metric, for its documentation; false after the last. */
bool metrics_row(size_t i, struct metrics_row *row);

#endif
