/* events: a subscriber to what gatepost does, which can prove that nothing was lost.
 *
 *      socket -> gatepost_events_feed()            gatepost_events_out() -> socket
 *                      |
 *              gatepost_events_next() -> event or gap
 *
 * It has no socket, clock or loop. After a break of the connection, gatepost_events_open() and feed
 * the octets of the new one: it goes on after the last item taken. Out of memory ends the process.
 * One thread at a time. */
#ifndef GATEPOST_EVENTS_H
#define GATEPOST_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gatepost/error.h>

struct json_t; /* jansson's */

#pragma GCC visibility push(default)

struct gatepost_events_options {
	const char *name;	   /* for the gateway's log; NULL: none */
	const char *const *events; /* names, "prefix.*" or "*", NULL after the last; NULL: all */
	bool oldest;		   /* begin with all that can still be had, not with now */
	const char *epoch;	   /* not NULL: begin after the event (epoch, seq) instead */
	uint64_t seq;
	gatepost_log *log; /* NULL: nothing is told */
	void *log_arg;
	/* When the octets are taken too slowly, the gateway refuses to go on ("lag"); otherwise
	 * there is a gap "lag". */
	bool close_on_lag;
};

/* The gateway sends something at least every 5 s. When nothing has come for this long, in
 * milliseconds, close the connection and make a new one. */
#define GATEPOST_EVENTS_SILENCE_MS 15000

/* An event, or a gap: events that this subscriber did not get. */
struct gatepost_item {
	bool is_gap;
	const char *epoch; /* what seq, from and to belong to */
	/* an event */
	uint64_t seq;
	const char *name;		   /* such as "rcpt" */
	const char *time;		   /* RFC 3339, UTC */
	const char *session, *transaction; /* NULL where there is none */
	const struct json_t *message;	   /* all of it as received, also of an announced gap */
	/* a gap: "lag", "expired", "gateway", "epoch"; or "unexplained": the sequence broke, and
	 * the gateway did not say why. from, to and lost (their number, counted before the filter)
	 * are 0 when not known */
	const char *why;
	uint64_t from, to, lost;
};

struct gatepost_events;

/* A subscriber with its first connection open. Everything in `options` is copied. NULL: they break
 * a rule, and `error` says which. */
struct gatepost_events *gatepost_events_new(const struct gatepost_events_options *options,
					    struct gatepost_error *error);
void gatepost_events_free(struct gatepost_events **events);
/* A new connection. Items that were not taken are forgotten: they will come again. */
void gatepost_events_open(struct gatepost_events *events);
/* Takes octets that came, cut anywhere. False: this connection is over (gatepost_events_error());
 * what was complete before can still be taken. */
bool gatepost_events_feed(struct gatepost_events *events, const char *data, size_t len);
/* The gateway has closed. False when a line was cut. */
bool gatepost_events_feed_end(struct gatepost_events *events);
/* The next item, which is valid until the next call of next(), open() or free(); NULL when there is
 * none now. Taking an item means that it was dealt with: a new connection goes on after it. */
const struct gatepost_item *gatepost_events_next(struct gatepost_events *events);
/* The octets to send next and their number; valid until the next call. */
size_t gatepost_events_out(const struct gatepost_events *events, const char **data);
/* The first n of them have been sent. */
void gatepost_events_sent(struct gatepost_events *events, size_t n);
/* Where a new subscription would go on, to be kept for `epoch` and `seq` of the options; the epoch
 * is valid until the next call. False before the first answer of a gateway. */
bool gatepost_events_position(const struct gatepost_events *events, const char **epoch,
			      uint64_t *seq);
/* True when the gateway has refused the subscription for good, or has ended it as close_on_lag
 * asks: connecting again is of no use. */
bool gatepost_events_is_refused(const struct gatepost_events *events);
/* Why this connection is over; its code is "" when it is not. */
const struct gatepost_error *gatepost_events_error(const struct gatepost_events *events);

/* The fields of the data of the event last taken, valid as long as that. */

/* A string; NULL when there is none of that name. Octets that are not UTF-8 show as U+FFFD. */
const char *gatepost_events_text(const struct gatepost_events *events, const char *name);
/* The exact octets that the client sent, NUL-terminated, with their number; NULL when there is no
 * such string. */
const char *gatepost_events_octets(struct gatepost_events *events, const char *name, size_t *len);
/* False, and *value unchanged, when there is no such number. Milliseconds ("ms") may have a
 * fraction, other numbers have none. */
bool gatepost_events_number(const struct gatepost_events *events, const char *name, double *value);
/* All of the data as one line of JSON in ASCII; NULL when the item is a gap. */
const char *gatepost_events_data(struct gatepost_events *events);

#pragma GCC visibility pop

#endif
