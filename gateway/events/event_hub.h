/* event_hub: takes the workers' events, keeps the latest in a ring, serves them to subscribers.
 *
 *      workers --hub.sock--> [ seq ] --> ring <--cursor-- subscriber --events.sock-->
 *                                           <--cursor-- subscriber
 *
 * One ring; each event is stored once. A subscriber is a cursor into it: a slow one costs nothing
 * and is told exactly what it missed. `seq` counts every event of an epoch (a life of the hub),
 * lost ones included. */
#ifndef EVENTS_EVENT_HUB_H
#define EVENTS_EVENT_HUB_H

#include <ev.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/event.h"
#include "protocol/handshake.h"
#include "subscriber.h"

struct event_hub;

/* More of them are counted and not told one by one. */
#define EVENT_HUB_TOLD_MAX 100

struct event_hub_status {
	uint64_t head, oldest; /* as in hello */
	uint64_t lost;	       /* by workers, in this epoch: seqs without an event */
	unsigned subscribers, subscribers_max;
	struct subscriber_status told[EVENT_HUB_TOLD_MAX];
	unsigned told_len;
};

/* Takes over the two listening descriptors. `ring_size` in octets; at most `subscribers_max` at a
 * time (more get a fatal error "too_many"). Strings in `gateway` are copied; its epoch is the
 * stream's. */
struct event_hub *event_hub_new(struct ev_loop *loop, int worker_listener, int subscriber_listener,
				uint64_t ring_size, unsigned subscribers_max,
				const struct handshake_gateway *gateway);
/* Processes of this account may subscribe. Once one account is named, those of others get a fatal
 * error "not_allowed". */
void event_hub_allow(struct event_hub *hub, uid_t uid);
/* An event of the hub's own (gateway.start). */
void event_hub_publish(struct event_hub *hub, const struct event *event);
/* How things are now. */
void event_hub_tell(const struct event_hub *hub, struct event_hub_status *status);
/* Reads what the workers have sent already, gives subscribers what the kernel takes, closes. Runs
 * the loop for a moment: not to be called from a callback. */
void event_hub_free(struct event_hub **hub);

#endif
