#include "worker_end.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "events/event_bus.h"
#include "net/listener.h"
#include "runtime.h"
#include "worker_state.h"

#define FLUSH_TIME 1.0 /* for the last events on the way out */

static void start_timer(struct worker *w, double seconds)
{
	ev_timer_stop(w->loop, &w->stop);
	ev_timer_set(&w->stop, seconds, 0);
	ev_timer_start(w->loop, &w->stop);
}

static void on_flush(struct ev_loop *loop, ev_prepare *watcher, int events)
{
	struct worker *w = watcher->data;

	(void)events;
	if (event_bus_is_empty(w->host.events))
		ev_break(loop, EVBREAK_ALL);
}

/* All sessions have ended: what is left is to hand the last events to the hub. */
static void on_empty(void *arg)
{
	struct worker *w = arg;

	w->empty = true;
	start_timer(w, FLUSH_TIME);
	ev_prepare_start(w->loop, &w->flush);
}

/* Who is in the queues was told by the system that he is connected. In that of a socket which was
 * passed he waits for the next worker, or for the next gateway. */
static void let_go(struct worker *w)
{
	for (size_t i = 0; i < w->accepting_len; i++) {
		if (w->accepting[i].passed)
			listener_free(&w->accepting[i].listener);
		else
			listener_finish(&w->accepting[i].listener);
	}
	w->accepting_len = 0;
	sockets_close(&w->runtime->sockets); /* one that never served has them still */
}

static void leave(struct worker *w)
{
	if (w->leaves)
		return;
	w->leaves = true;
	worker_publish(w, EVENT_GATEWAY_DRAIN);
	ev_timer_stop(w->loop, &w->start);
	let_go(w);
	w->host.on_empty = on_empty;
	w->host.arg = w;
}

static void drain(struct worker *w)
{
	if (w->drains)
		return;
	w->drains = true;
	log_info("stopping");
	leave(w);
	worker_set_state(w, COUNTERS_DRAINING);
	if (w->empty)
		return;
	start_timer(w, w->config->drain_timeout);
	session_drain_all(&w->host);
	if (list_empty(&w->host.sessions) && !w->empty)
		on_empty(w);
}

static void retire(struct worker *w)
{
	if (w->leaves)
		return;
	log_info("a reload has replaced this worker: its sessions go on");
	leave(w);
	worker_set_state(w, COUNTERS_RETIRING);
	start_timer(w, w->config->retire_timeout);
	if (list_empty(&w->host.sessions))
		on_empty(w);
}

static void on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct worker *w = timer->data;

	(void)events;
	if (!w->drains && !w->empty) {
		log_warning("retire_timeout is over: ending the sessions that are left");
		drain(w);
		return;
	}
	if (!list_empty(&w->host.sessions)) {
		log_warning("drain_timeout is over: closing the sessions that are left");
		w->host.on_empty = NULL;
		session_close_all(&w->host);
	}
	ev_break(loop, EVBREAK_ALL);
}

static void on_term(struct ev_loop *loop, ev_signal *watcher, int events)
{
	(void)loop, (void)events;
	drain(watcher->data);
}

static void on_order(void *arg, const char *text)
{
	if (strcmp(text, "retire") == 0)
		retire(arg);
}

void worker_end_start(struct worker *w, int channel)
{
	ev_signal_init(&w->term, on_term, SIGTERM);
	ev_timer_init(&w->stop, on_time, 0, 0);
	ev_prepare_init(&w->flush, on_flush);
	w->term.data = w->stop.data = w->flush.data = w;
	order_watch_term(w->loop, &w->term);
	order_start(&w->order, w->loop, channel, on_order, w);
}

void worker_end_stop(struct worker *w)
{
	order_stop(&w->order, w->loop);
	ev_timer_stop(w->loop, &w->stop);
	ev_prepare_stop(w->loop, &w->flush);
	/* w->term stays: who stops a whole process group, and the master then, says it twice, and
	 * without a handler the second time would kill what is about to end well. */
}
