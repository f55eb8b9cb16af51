/* worker_state: what the files of a worker share; private to them. */
#ifndef PROCESS_WORKER_STATE_H
#define PROCESS_WORKER_STATE_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "order.h"
#include "protocol/event.h"
#include "session/session.h"
#include "shared/counters.h"
#include "worker_policy.h"

struct delivery;
struct io_pool;
struct listener;
struct runtime;

struct worker_socket {
	struct listener *listener;
	bool passed; /* the service manager has it, too */
};

struct worker {
	struct runtime *runtime;
	const struct config *config;
	unsigned number, slot;
	struct ev_loop *loop;
	struct session_host host;
	struct session_listener *listeners;
	struct worker_socket *accepting; /* while it takes clients */
	size_t accepting_len;
	struct delivery **deliveries;
	struct io_pool *io;
	struct worker_policy policy;
	bool accepts, unready;
	bool leaves; /* takes no new client */
	bool drains; /* ends its sessions */
	bool empty;  /* has none any more */
	struct order order;
	ev_signal term;
	ev_timer start, stop, pulse;
	ev_prepare flush;
};

void worker_set_state(struct worker *w, enum counters_state state);
void worker_publish(struct worker *w, enum event_kind kind);

#endif
