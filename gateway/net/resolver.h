/* resolver: names of clients (PTR, confirmed by A/AAAA), asked with c-ares on the loop.
 *
 *      192.0.2.1 --PTR--> mail.example.net --A--> 192.0.2.1   confirmed
 *
 * A name that does not lead back to the address is anybody's invention; it is reported as not
 * verified. */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/address.h"

struct resolver;

/* `servers`: "127.0.0.1:5353,[::1]:53" or NULL for the system's (/etc/resolv.conf). timeout:
 * seconds for a whole look-up, PTR and confirmation together, after which the result is "no name".
 * NULL with a reason in `error`. */
struct resolver *resolver_new(struct ev_loop *loop, const char *servers, double timeout,
			      char *error, size_t size);
/* Open look-ups end without a callback. May be called out of one; memory is given back by the
 * reaper. */
void resolver_free(struct resolver **r);

struct resolver_name {
	/* Lower case, no trailing dot; "" when there is none, or none in time. Only letters,
	 * digits, '-', '_' and '.', and nothing that could be taken for an IP address. */
	char name[256];
	bool verified; /* it leads back to the address */
};

/* on_name comes once, later and from the loop. At most 10 names of a PTR answer are looked at; the
 * first confirmed one is taken, else the first. Returns an id for resolver_cancel(). */
uint64_t resolver_look_up(struct resolver *r, const struct address *client,
			  void (*on_name)(void *arg, const struct resolver_name *name), void *arg);
/* No callback any more. Unknown ids and 0: nothing. */
void resolver_cancel(struct resolver *r, uint64_t id);

#endif
