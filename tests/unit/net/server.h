/* server: a transport under test with a small session that records what it is told. */
#ifndef TESTS_NET_SERVER_H
#define TESTS_NET_SERVER_H

#include <ev.h>
#include <stdbool.h>

#include "net/transport.h"
#include "peer.h"

#define SERVER_EVENTS 6

struct server {
	struct ev_loop *loop;
	struct transport *t;
	struct peer peer;
	struct buf seen;	       /* what was consumed from `in` */
	unsigned count[SERVER_EVENTS]; /* of each event */
	char order[32];		       /* "IE": input, then end */
	bool hold;		       /* leaves everything in `in` */
	bool echo;
	size_t take;	/* consumes so many octets at each event; 0: all */
	size_t produce; /* still to be written, whenever there is room */
	bool free_on_event;
	bool inside;		     /* a transport_ function is running: no callback may come */
	struct tls_context *context; /* on "STARTTLS\r\n" */
};

void server_init(struct server *s, size_t in_max, size_t out_max, bool small);
void server_fini(struct server *s);
/* Consumes as the session would, outside any callback. */
void server_work(struct server *s);
void server_finish(struct server *s);
unsigned server_count(const struct server *s, enum transport_event event);

#endif
