/* harness: a hub on real Unix sockets, and clients of it, on one loop in one process.
 *
 * A client checks the stream as a careful subscriber does: each `prev` and each gap must join to
 * what came before, so that at any time received + lost is everything up to `seq`. */
#ifndef TEST_EVENTS_HARNESS_H
#define TEST_EVENTS_HARNESS_H

#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events/event_bus.h"
#include "events/event_hub.h"
#include "protocol/jsonl.h"
#include "shared/counters.h"

#define EPOCH "01TESTEPOCH000000000"

struct stage {
	struct ev_loop *loop;
	char dir[32];
	char hub_path[64], events_path[64];
	struct event_hub *hub;
	struct event_bus *bus;
	struct counters_slot *slot; /* of the bus */
	uint64_t published;	    /* since the hub began */
};

void stage_open(struct stage *stage);
void stage_start_hub(struct stage *stage, uint64_t ring_size, unsigned subscribers_max,
		     const char *epoch);
void stage_start_bus(struct stage *stage, size_t max);
void stage_close(struct stage *stage);
/* For cmocka: one in *state, without a hub or with hub and bus, and its end. */
int stage_set_up(void **state);
int stage_set_up_hub(void **state, uint64_t ring_size, unsigned subscribers_max);
int stage_tear_down(void **state);
/* One turn of the loop, waiting up to 1 ms for something to do. */
void stage_turn(struct stage *stage);
/* Until the condition holds; fails after 20 s. */
#define stage_until(stage, condition)                                                              \
	do {                                                                                       \
		double stage_limit = ev_time() + 20;                                               \
		while (!(condition)) {                                                             \
			assert_true(ev_time() < stage_limit);                                      \
			stage_turn(stage);                                                         \
		}                                                                                  \
	} while (0)

/* Publishes an event whose data is {"n":n,"text":...} with `padding` octets, so that each can be
 * told. */
void stage_publish(struct stage *stage, enum event_kind kind, int64_t n, size_t padding);
/* As many, numbered from 0, in pieces that the bus and the hub take without loss; then they are in
 * the ring. */
void stage_publish_many(struct stage *stage, size_t count, size_t padding);
/* Until all that was published is in the ring. */
void stage_settle(struct stage *stage);
/* Events that the bus had no room for. */
uint64_t stage_lost(const struct stage *stage);
/* What a hello tells now. */
void stage_hello(struct stage *stage, uint64_t *head, uint64_t *oldest);

struct client {
	struct stage *stage;
	int fd;
	struct jsonl in;
	bool ended;    /* closed by the hub */
	bool filtered; /* seqs may be missing between prev and seq */
	uint64_t seq;  /* the last seq accounted for */
	uint64_t received, lost, gaps, heartbeats;
};

/* Connects without waiting for the hello. */
void client_open(struct stage *stage, struct client *c);
void client_close(struct client *c);
void client_send(struct client *c, const char *text);
/* The next message, of the given type, owned by the caller; NULL at the end when type is NULL.
 * Heartbeats before it are checked and passed over, unless one is asked for. */
json_t *client_take(struct client *c, const char *type);
/* Opens, reads the hello, subscribes with from and events as JSON text, reads `subscribed`, and
 * checks it against the two numbers. */
void client_subscribe(struct stage *stage, struct client *c, const char *events, const char *from,
		      uint64_t first, uint64_t replaying);
/* Takes an event and checks its seq; returns its data.n. */
int64_t client_event(struct client *c, uint64_t seq);
/* Takes a gap with these bounds. */
void client_gap(struct client *c, uint64_t from, uint64_t to, const char *why);
/* Takes a fatal error with this code, then the end. */
void client_refused(struct client *c, const char *code);
/* Takes an event or a gap, checking that it joins. */
void client_read_one(struct client *c);
/* Takes them until `seq` is accounted for. */
void client_read_until(struct client *c, uint64_t seq);
/* Nothing comes any more for now. */
void client_idle(struct client *c);

#endif
