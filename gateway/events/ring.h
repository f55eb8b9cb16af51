/* ring: the latest events in a fixed piece of memory; a new one displaces the oldest.
 *
 *      tail (oldest)             head
 *      |[seq|len|kind|body][...][...]|.....
 *               ^ cursor: the next seq a reader wants, and where it is
 *
 * A record stands for everything after the record before it up to its own seq. So a loss of any
 * number of events is one record without a body. Readers are not known to the ring: a cursor that
 * was overtaken finds out when it reads next. */
#ifndef EVENTS_RING_H
#define EVENTS_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring;

struct ring_cursor {
	uint64_t seq; /* the next one wanted */
	uint64_t at;  /* where its record is or will be, in octets since the ring began */
};

enum ring_item_type {
	RING_NOTHING,	  /* the reader has everything */
	RING_EVENT,	  /* `to` is its seq, from is the same */
	RING_LOST,	  /* from..to never came */
	RING_OVERWRITTEN, /* from..to came, but were displaced before this reader took them */
};

struct ring_item {
	enum ring_item_type type;
	uint64_t from, to;
	unsigned kind;
	const char *body; /* valid until the next ring_push() or ring_lose() */
	size_t len;
	uint64_t next; /* for ring_advance() */
};

/* `size` in octets, at least 4096. Memory is taken from the system as it is first written. Ends the
 * process when there is no address space. */
struct ring *ring_new(uint64_t size);
void ring_free(struct ring **r);
/* Gives the event the next seq. One that is larger than the whole ring becomes a loss. */
void ring_push(struct ring *r, unsigned kind, const char *body, size_t len);
/* The next n seqs are lost; n is not 0. */
void ring_lose(struct ring *r, uint64_t n);
/* The latest seq; 0 before the first. */
uint64_t ring_head(const struct ring *r);
/* The oldest seq that can still be read; head + 1 when there is none. */
uint64_t ring_oldest(const struct ring *r);
/* Sets the cursor to `seq`, or to the nearest there is. Returns how many events can be read from
 * there (losses not counted). What it costs does not depend on how much the ring holds. */
uint64_t ring_seek(const struct ring *r, uint64_t seq, struct ring_cursor *cursor);
/* What is at the cursor. */
void ring_peek(const struct ring *r, const struct ring_cursor *cursor, struct ring_item *item);
/* Moves the cursor behind the item, which is what ring_peek() gave for it and is not RING_NOTHING.
 */
void ring_advance(struct ring_cursor *cursor, const struct ring_item *item);

#endif
