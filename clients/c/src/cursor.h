/* cursor: the event stream as pure logic: messages in, events and gaps out.
 *
 *      position     after the last item taken: a new connection goes on there
 *      ahead        the same, as if every item of the queue had been taken
 *      expected     the seq that the next event must name as its predecessor
 *      hole         what lies between our position and the first event of this connection: it
 *                   must be announced by a gap, or it is told as unexplained */
#ifndef GATEPOST_CURSOR_H
#define GATEPOST_CURSOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <gatepost/events.h>

struct gatepost_position {
	char *epoch; /* NULL: none yet; owned */
	uint64_t seq;
};

struct gatepost_cursor_item {
	struct gatepost_cursor_item *next;
	struct gatepost_item item;
	char *epoch;
	json_t *message;
	bool moves; /* taking it moves the position to (epoch, to) */
	uint64_t to;
};

struct gatepost_cursor {
	bool live; /* subscribed */
	struct gatepost_position position, ahead;
	char *epoch; /* of this connection */
	uint64_t expected;
	bool has_hole;
	uint64_t hole_from, hole_to; /* 0: not known */
	struct gatepost_cursor_item *first, **last;
};

/* `epoch` NULL: no position. */
void gatepost_cursor_init(struct gatepost_cursor *cursor, const char *epoch, uint64_t seq);
void gatepost_cursor_fini(struct gatepost_cursor *cursor);
/* A new connection: forgets the queue. */
void gatepost_cursor_open(struct gatepost_cursor *cursor);
/* Messages whose shape was checked; events and gaps are kept by reference. */
void gatepost_cursor_subscribed(struct gatepost_cursor *cursor, const json_t *message);
void gatepost_cursor_event(struct gatepost_cursor *cursor, json_t *message);
void gatepost_cursor_gap(struct gatepost_cursor *cursor, json_t *message);
/* All up to its seq is dealt with: once the queue is taken, a new connection goes on after it. */
void gatepost_cursor_heartbeat(struct gatepost_cursor *cursor, const json_t *message);
/* The next item, the caller's from now on; NULL when there is none. */
struct gatepost_cursor_item *gatepost_cursor_take(struct gatepost_cursor *cursor);
void gatepost_cursor_item_free(struct gatepost_cursor_item **item);

#endif
