/* relay_pool: the connections of a relay: who gets which, how many there are, how long they live.
 *
 *      request -> an idle one, or a new one, or wait
 *      new one: dial backend after backend, those that are up first
 *      given back -> RSET -> idle -> used again, or QUIT when it is old or was used often enough
 *
 * A call never answers inside: the answer to a request comes from the loop. */
#ifndef RELAY_RELAY_POOL_H
#define RELAY_RELAY_POOL_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "relay_connection.h"

struct relay;
struct relay_client;

enum relay_refusal {
	RELAY_ALL_DOWN, /* no backend gives a connection */
	RELAY_BUSY,	/* waited too long for one of the allowed number */
};

/* One wish for a connection; it lives in its owner. */
struct relay_request {
	/* The owner's. */
	const struct relay_client *client; /* whom it is for; NULL: our own */
	bool fresh;			   /* a new one, not from those that are idle */
	uint64_t tried;			   /* backends it is not to be, by their bits */
	void (*on_connected)(void *arg, struct relay_connection *connection);
	void (*on_refused)(void *arg, enum relay_refusal refusal);
	void *arg;
	/* The pool's. */
	struct relay *relay;
	struct list link;
	ev_timer timer;
	bool waiting;
	struct relay_connection *opening;
};

/* Before the first relay_pool_ask(). */
void relay_request_init(struct relay_request *q, struct relay *r);
/* One of the callbacks comes once, from the loop. The connection is then the owner's, READY, until
 * relay_pool_give_back() or relay_pool_drop(). */
void relay_pool_ask(struct relay_request *q);
/* Neither comes any more. Allowed at any time. */
void relay_pool_cancel(struct relay_request *q);
/* The connection's transaction is over or forgotten by the engine. Events are the pool's again. */
void relay_pool_give_back(struct relay_connection *c);
/* Closes it at once. */
void relay_pool_drop(struct relay_connection *c);
/* Set-up, and the end: all that there is is closed. */
void relay_pool_init(struct relay *r);
void relay_pool_fini(struct relay *r);

#endif
