/* metrics_write: samples in Prometheus' text format, version 0.0.4.
 *
 *      # HELP gatepost_sessions ...
 *      # TYPE gatepost_sessions gauge
 *      gatepost_sessions{worker="0",state="command"} 17
 */
#ifndef MONITOR_METRICS_WRITE_H
#define MONITOR_METRICS_WRITE_H

#include <stdint.h>

#include "base/buf.h"
#include "shared/counters.h"

#define METRICS_LABELS_SIZE 1024

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

/* A metric that is being written, and the labels of its next sample. */
struct metrics_writer {
	struct buf *out;
	const char *name; /* without the prefix "gatepost_" */
	char labels[METRICS_LABELS_SIZE];
	size_t labels_len;
};

/* The two lines before the samples. */
void metrics_begin(struct metrics_writer *w, const char *name, enum metrics_type type,
		   const char *help);
/* "counter" */
const char *metrics_type_word(enum metrics_type type);
/* Adds a label to those of the next samples. The value may be any text: it is escaped, and cut at
 * 200 octets of it. Returns what metrics_unlabel() needs to take it back. */
size_t metrics_label(struct metrics_writer *w, const char *name, const char *value);
size_t metrics_label_number(struct metrics_writer *w, const char *name, unsigned value);
void metrics_unlabel(struct metrics_writer *w, size_t mark);
void metrics_sample(struct metrics_writer *w, uint64_t value);
/* The three metrics of a histogram; entries[i] are those in bucket i, not summed up; `sum` in
 * microseconds. */
void metrics_histogram(struct metrics_writer *w, const uint64_t entries[COUNTERS_BUCKETS + 1],
		       uint64_t sum);

#endif
