/* relay_connection: one connection to a backend: the transport, the engine, and the time that each
 * may take.
 *
 *      dial -> [PROXY header] -> banner, EHLO, TLS, login -> READY <-> transaction -> QUIT */
#ifndef RELAY_RELAY_CONNECTION_H
#define RELAY_RELAY_CONNECTION_H

#include <ev.h>
#include <stdbool.h>

#include "base/list.h"
#include "relay_copy.h"
#include "relay_engine.h"

struct relay;
struct relay_backend;
struct transport;

enum relay_connection_event {
	RELAY_CONNECTION_READY,	    /* the engine may be asked; then relay_connection_step() */
	RELAY_CONNECTION_RECIPIENT, /* relay_engine_result() */
	RELAY_CONNECTION_BODY,	    /* there is room for a piece */
	RELAY_CONNECTION_RESULT,    /* relay_engine_result() */
	RELAY_CONNECTION_OVER,	    /* lost, failed or closed; drop it */
};

struct relay_connection {
	struct relay *relay;
	struct relay_backend *backend;
	struct list link;      /* of all */
	struct list idle_link; /* of those without work */
	struct transport *transport;
	struct relay_engine *engine;
	struct relay_client client; /* whom the PROXY header has named; empty: us */
	ev_timer soon;		    /* never started, only fed: step */
	void (*on_event)(void *arg, enum relay_connection_event event);
	void *arg;
	unsigned transactions; /* begun on it */
	bool in_clear;	       /* without TLS, since that has failed before */
	bool connected;
	bool shaking; /* in a TLS handshake */
	bool opened;  /* has been READY */
	bool idle;    /* in the pool, without work */
	bool ready;   /* nothing is awaited of the backend */
	bool quitting;
	bool over;
	bool closed;
	char failure[256]; /* why it is over */
};

/* Dials. READY or OVER follows, from the loop. `client` (copied) is whom a PROXY header names. */
struct relay_connection *relay_connection_new(struct relay *r, struct relay_backend *backend,
					      const struct relay_client *client, bool in_clear);
/* Something was asked of the engine, or of an event's receiver: step, from the loop. */
void relay_connection_step(struct relay_connection *c);
/* QUIT; OVER follows. */
void relay_connection_quit(struct relay_connection *c);
/* Nobody waits for anything: how long it may be so. */
void relay_connection_rest(struct relay_connection *c);
void relay_connection_work(struct relay_connection *c);
/* The next octets of the message, read by the caller into `data`; how many were taken. */
size_t relay_connection_body(struct relay_connection *c, const char *data, size_t len);
/* TLS was begun and has failed: without it, it might do. */
bool relay_connection_failed_in_tls(const struct relay_connection *c);
/* Closes now, one that is idle with QUIT; memory goes after the loop turn. */
void relay_connection_free(struct relay_connection *c);

#endif
