/* relay_state: what the files of a relay share. For relay*.c only. */
#ifndef RELAY_RELAY_STATE_H
#define RELAY_RELAY_STATE_H

#include "base/list.h"
#include "relay.h"
#include "relay_backend.h"
#include "relay_engine.h"

struct tls_client_context;

/* More than anybody lists; a request remembers in the bits of one word whom it has tried. */
#define RELAY_BACKENDS_MAX 64

struct relay {
	struct ev_loop *loop;
	struct relay_settings settings; /* of our own strings */
	char **addresses;
	struct relay_engine_settings engine;
	struct relay_engine_settings in_clear; /* where TLS was tried and has failed */
	struct tls_client_context *tls;	       /* NULL: none wanted */
	struct relay_backend *backends;
	size_t backends_len;
	size_t turn; /* round robin: the backend that is next */

	struct list connections; /* all, also those that are being closed */
	size_t connections_len;
	struct list idle;    /* the last used first; through relay_connection.free_link */
	struct list waiting; /* requests, the oldest first */
	size_t waiting_len;
	ev_timer soon; /* never started, only fed: serve those who wait */
	bool closed;
};

#endif
