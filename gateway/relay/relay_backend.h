/* relay_backend: one server of a relay: its address, whether it is up, what it offers.
 *
 *      up --failed--> down --after 5 s, 10, 20, 40, 60: a probe--> up
 *
 * One that is down is tried by mail only when no other is left. */
#ifndef RELAY_RELAY_BACKEND_H
#define RELAY_RELAY_BACKEND_H

#include <ev.h>
#include <stdbool.h>

#include "net/address.h"
#include "relay_pool.h"

struct relay;

struct relay_backend {
	struct relay *relay;
	const char *text; /* the address as configured */
	struct address address;
	bool down;
	bool known; /* `offer` was told by it */
	struct relay_engine_offer offer;
	ev_timer probe; /* running while it is down and no probe is on its way */
	double delay;
	struct relay_request request; /* the probe */
	ev_tstamp plain_logged;	      /* when falling back to plain was last told */
};

/* False when `text` is no address. The first probe is made soon. */
bool relay_backend_init(struct relay_backend *b, struct relay *r, const char *text);
void relay_backend_start(struct relay_backend *b);
void relay_backend_fini(struct relay_backend *b);
/* A connection to it is ready. */
void relay_backend_is_up(struct relay_backend *b, const struct relay_engine_offer *offer);
/* It gave no connection, or ended it with 421. */
void relay_backend_failed(struct relay_backend *b, const char *why);
/* Once a minute. */
void relay_backend_log_plain(struct relay_backend *b, const char *why);

#endif
