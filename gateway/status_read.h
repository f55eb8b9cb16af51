/* status_read: the status message (PROTOCOL.md, "Status") as `gatepost status` reads it.
 *
 * Numbers are looked up in two messages at once, so that growth can be told. What is missing or has
 * another type is 0 or "": a later gateway may say less. */
#ifndef STATUS_READ_H
#define STATUS_READ_H

#include <stddef.h>

struct json_t;

struct status {
	struct json_t *message;
};

enum status_result {
	STATUS_GOOD,
	STATUS_REFUSED, /* an error of the gateway's: its message is in `problem` */
	STATUS_FOREIGN, /* no message of the protocol: what is wrong is in `problem` */
};

/* Reads a line without its LF. STATUS_GOOD: *status is to be freed; else it is NULL and `problem`
 * has printable ASCII. */
enum status_result status_read(const char *line, size_t len, struct status **status, char *problem,
			       size_t size);
void status_free(struct status **status);

/* The same part of a message and of the one before it; `before` NULL: it has none. */
struct status_pair {
	const struct json_t *now, *before;
};

#define STATUS_NAME_SIZE 72

struct status_pair status_part(struct status_pair of, const char *name);
/* The entry of a list, and the one of the message before with the same value of `name`. */
struct status_pair status_entry(struct status_pair list, size_t place, const char *name);
double status_number(struct status_pair of, const char *name);
/* How much more it is than before, at least 0; without a message before: all of it. */
double status_growth(struct status_pair of, const char *name);
/* A string, printable ASCII and cut to fit. Returns `out`. */
const char *status_name(struct status_pair of, const char *name, char out[STATUS_NAME_SIZE]);

struct status_latency {
	double p50, p99; /* of the entries that are new since the message before; < 0: none are */
	double most;	 /* what is at least this long is not measured */
};

/* `bounds` is the message's bounds_ms, `of` has the buckets. In milliseconds. */
void status_latency(const struct json_t *bounds, struct status_pair of,
		    struct status_latency *latency);

#endif
