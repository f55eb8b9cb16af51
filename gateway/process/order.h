/* order: what the master tells a child that runs (see net/handover.h). */
#ifndef PROCESS_ORDER_H
#define PROCESS_ORDER_H

#include <ev.h>

struct order {
	ev_io io;
	void (*on_order)(void *arg, const char *text);
	void *arg;
};

/* Takes the channel over. The order "log" is obeyed here: it brings the descriptor to write the log
 * to; all others go to on_order. */
void order_start(struct order *o, struct ev_loop *loop, int channel,
		 void (*on_order)(void *arg, const char *text), void *arg);
void order_stop(struct order *o, struct ev_loop *loop);

/* Starts the watcher of SIGTERM, the order to end. Until then the signal is held back: a process
 * that is not so far must not die of it. */
void order_watch_term(struct ev_loop *loop, ev_signal *term);

#endif
