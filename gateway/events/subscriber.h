/* subscriber: one reader of the event stream, on the hub's side: a cursor into the ring and a
 * socket.
 *
 *      accepted --hello--> greeted --subscribe--> live: either it has everything, or it waits
 *                             | 5 s, error              until its socket takes more
 *                             v                         v
 *                           closed <--------------- any further line, closed by the peer
 *
 * What is written is bounded by the link's buffer; what is read ends with the subscription. One
 * that wants no gaps of "lag" is told so in an error, once it takes it, and closed. */
#ifndef EVENTS_SUBSCRIBER_H
#define EVENTS_SUBSCRIBER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/handshake.h"
#include "protocol/json_out.h"
#include "ring.h"

struct subscriber;

/* What all subscribers share; outlives them. */
struct subscriber_source {
	struct ev_loop *loop;
	const struct ring *ring;
	const struct handshake_gateway *gateway;
	struct json_out *scratch; /* for the line being written */
};

struct subscriber_status {
	char name[65]; /* printable ASCII; "" when it gave none */
	uid_t uid;     /* (uid_t)-1 when unknown */
	bool live;     /* it has subscribed */
	uint64_t lag;  /* seqs up to the head of the ring that it has not been sent yet */
	uint64_t sent, lost;
};

/* Takes over the connection and greets. on_closed is called from the loop, once, when the
 * subscriber is of no further use: the answer is subscriber_free(). */
struct subscriber *subscriber_new(const struct subscriber_source *source, int fd,
				  void (*on_closed)(void *arg, struct subscriber *s), void *arg);
/* There is something new in the ring. Costs nothing when the subscriber cannot take it now. */
void subscriber_advance(struct subscriber *s);
/* How far the subscriber is; of one that has not subscribed yet all is zero but the uid. */
void subscriber_tell(const struct subscriber *s, struct subscriber_status *status);
/* Sends a heartbeat of this time, if the subscriber is live and there is room. */
void subscriber_heartbeat(struct subscriber *s, const char *time);
/* Closes now, frees after the loop turn. */
void subscriber_free(struct subscriber **s);

#endif
