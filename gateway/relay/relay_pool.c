#include "relay_pool.h"

#include <string.h>

#include "base/log.h"
#include "relay_state.h"

/* Who waits beyond this many for each connection is told so at once. */
#define WAITING_MAX 10

static void serve_soon(struct relay *r)
{
	ev_feed_event(r->loop, &r->soon, EV_CUSTOM);
}

static void stop_waiting(struct relay_request *q)
{
	if (!q->waiting)
		return;
	q->waiting = false;
	q->relay->waiting_len--;
	list_remove(&q->link);
	ev_timer_stop(q->relay->loop, &q->timer);
}

static void refuse(struct relay_request *q, enum relay_refusal refusal)
{
	stop_waiting(q);
	q->on_refused(q->arg, refusal);
}

static void on_wait_over(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	refuse(w->data, RELAY_BUSY);
}

/* --- connections that nobody has --- */

static bool is_worn(const struct relay_connection *c)
{
	unsigned told = relay_engine_offer(c->engine)->messages;

	return c->transactions >= c->relay->settings.reuse || (told && c->transactions >= told) ||
	       c->quitting;
}

static void rest(struct relay_connection *c)
{
	if (c->idle)
		return;
	if (is_worn(c)) {
		relay_connection_quit(c);
		return;
	}
	/* The last used first: those of a busy hour are left alone and end. */
	list_append(c->relay->idle.next, &c->idle_link);
	relay_connection_rest(c);
	serve_soon(c->relay);
}

static void pool_on_event(void *arg, enum relay_connection_event event)
{
	struct relay_connection *c = arg;

	if (event == RELAY_CONNECTION_READY)
		rest(c);
	else if (event == RELAY_CONNECTION_OVER)
		relay_pool_drop(c);
}

void relay_pool_give_back(struct relay_connection *c)
{
	c->on_event = pool_on_event;
	c->arg = c;
	relay_connection_step(c);
}

void relay_pool_drop(struct relay_connection *c)
{
	serve_soon(c->relay);
	relay_connection_free(c);
}

/* --- one that is being opened --- */

static void try_or_wait(struct relay_request *q);

static void hand_over(struct relay_request *q, struct relay_connection *c)
{
	stop_waiting(q);
	c->transactions++;
	q->on_connected(q->arg, c);
}

static void open_connection(struct relay_request *q, struct relay_backend *backend, bool in_clear);

/* It might do without TLS, and may. */
static bool may_do_in_clear(const struct relay_connection *c)
{
	return c->relay->settings.tls == RELAY_TLS_MODE_OPPORTUNISTIC && !c->in_clear &&
	       relay_connection_failed_in_tls(c);
}

static void on_not_opened(struct relay_request *q, struct relay_connection *c)
{
	struct relay_backend *backend = c->backend;
	char why[sizeof c->failure];
	bool in_clear = may_do_in_clear(c);

	memcpy(why, c->failure, sizeof why);
	relay_pool_drop(c);
	q->opening = NULL;
	if (in_clear) {
		relay_backend_log_plain(backend, why);
		open_connection(q, backend, true);
		return;
	}
	relay_backend_failed(backend, why);
	q->tried |= (uint64_t)1 << (backend - q->relay->backends);
	try_or_wait(q);
}

static void opening_on_event(void *arg, enum relay_connection_event event)
{
	struct relay_request *q = arg;
	struct relay_connection *c = q->opening;

	if (event == RELAY_CONNECTION_READY) {
		q->opening = NULL;
		relay_backend_is_up(c->backend, relay_engine_offer(c->engine));
		hand_over(q, c);
	} else if (event == RELAY_CONNECTION_OVER) {
		on_not_opened(q, c);
	}
}

/* Its request was cancelled; whoever comes next may have it. */
static void orphan_on_event(void *arg, enum relay_connection_event event)
{
	struct relay_connection *c = arg;

	if (event == RELAY_CONNECTION_READY)
		relay_backend_is_up(c->backend, relay_engine_offer(c->engine));
	else if (event == RELAY_CONNECTION_OVER && !may_do_in_clear(c))
		relay_backend_failed(c->backend, c->failure);
	c->on_event = pool_on_event;
	pool_on_event(c, event);
}

static void open_connection(struct relay_request *q, struct relay_backend *backend, bool in_clear)
{
	stop_waiting(q);
	q->opening = relay_connection_new(q->relay, backend, q->client, in_clear);
	q->opening->on_event = opening_on_event;
	q->opening->arg = q;
}

/* --- who gets which --- */

static bool fits(const struct relay_connection *c, const struct relay_request *q)
{
	if (c->relay->settings.show_client != RELAY_SHOW_PROXY)
		return true;
	return q->client && relay_client_same(&c->client, q->client);
}

static struct relay_connection *find_idle(const struct relay_request *q,
					  const struct relay_backend *backend)
{
	list_each(at, after, &q->relay->idle)
	{
		struct relay_connection *c = list_of(at, struct relay_connection, idle_link);

		if (c->backend == backend && fits(c, q))
			return c;
	}
	return NULL;
}

/* The n-th in the order of trying; `down` chooses between those that are up and the others. */
static struct relay_backend *candidate(const struct relay_request *q, size_t n, bool down)
{
	struct relay *r = q->relay;
	size_t i = (n + r->turn) % r->backends_len;

	if (q->tried >> i & 1 || r->backends[i].down != down)
		return NULL;
	return &r->backends[i];
}

/* All slots are taken, some by connections that are of no use to this request: one of them goes,
 * and its end serves those who wait. */
static void make_room(struct relay *r)
{
	list_each(at, after, &r->connections)
	{
		if (list_of(at, struct relay_connection, link)->quitting)
			return;
	}
	if (!list_empty(&r->idle))
		relay_connection_quit(list_of(r->idle.prev, struct relay_connection, idle_link));
}

static void take_turn(struct relay *r)
{
	if (r->settings.order == RELAY_ORDER_ROUND_ROBIN)
		r->turn = (r->turn + 1) % r->backends_len;
}

/* False when it must wait. */
static bool try_backend(struct relay_request *q, struct relay_backend *backend)
{
	struct relay *r = q->relay;
	struct relay_connection *c = q->fresh ? NULL : find_idle(q, backend);

	if (c) {
		take_turn(r);
		relay_connection_work(c);
		hand_over(q, c);
		return true;
	}
	if (r->connections_len >= r->settings.connections)
		return false;
	take_turn(r);
	open_connection(q, backend, false);
	return true;
}

static bool try(struct relay_request *q)
{
	bool any = false;

	for (int down = 0; down < 2; down++) {
		for (size_t n = 0; n < q->relay->backends_len; n++) {
			struct relay_backend *backend = candidate(q, n, down);

			if (backend && try_backend(q, backend))
				return true;
			any |= backend != NULL;
		}
	}
	if (!any) {
		refuse(q, RELAY_ALL_DOWN);
		return true;
	}
	make_room(q->relay);
	return false;
}

static void queue_up(struct relay_request *q, double seconds)
{
	struct relay *r = q->relay;

	q->waiting = true;
	r->waiting_len++;
	list_append(&r->waiting, &q->link);
	ev_timer_set(&q->timer, seconds, 0);
	ev_timer_start(r->loop, &q->timer);
}

static void try_or_wait(struct relay_request *q)
{
	if (!try(q))
		queue_up(q, q->relay->settings.timeout);
}

/* A callback may do anything, also to others that wait. */
static void on_serve(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct relay *r = w->data;
	struct list todo, kept;

	(void)loop;
	(void)revents;
	list_init(&todo);
	list_init(&kept);
	while (!list_empty(&r->waiting)) {
		struct list *first = r->waiting.next;

		list_remove(first);
		list_append(&todo, first);
	}
	while (!list_empty(&todo)) {
		struct list *first = todo.next;

		list_remove(first);
		list_append(&kept, first);
		try(list_of(first, struct relay_request, link));
		if (r->closed)
			return;
	}
	/* Before those that have come meanwhile. */
	while (!list_empty(&kept)) {
		struct list *last = kept.prev;

		list_remove(last);
		list_append(r->waiting.next, last);
	}
}

void relay_request_init(struct relay_request *q, struct relay *r)
{
	q->relay = r;
	list_init(&q->link);
	ev_timer_init(&q->timer, on_wait_over, 0., 0.);
	q->timer.data = q;
}

void relay_pool_ask(struct relay_request *q)
{
	struct relay *r = q->relay;
	bool crowd = r->waiting_len >= (size_t)WAITING_MAX * r->settings.connections;

	queue_up(q, crowd ? 0 : r->settings.timeout);
	serve_soon(r);
}

void relay_pool_cancel(struct relay_request *q)
{
	struct relay_connection *c = q->opening;

	stop_waiting(q);
	q->opening = NULL;
	if (!c)
		return;
	c->on_event = orphan_on_event;
	c->arg = c;
}

void relay_pool_init(struct relay *r)
{
	list_init(&r->connections);
	list_init(&r->idle);
	list_init(&r->waiting);
	ev_timer_init(&r->soon, on_serve, 0., 0.);
	r->soon.data = r;
}

void relay_pool_fini(struct relay *r)
{
	while (!list_empty(&r->connections))
		relay_connection_free(list_of(r->connections.next, struct relay_connection, link));
	ev_clear_pending(r->loop, &r->soon);
}
