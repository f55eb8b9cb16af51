#include "transport.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "dial.h"
#include "linger.h"
#include "reaper.h"
#include "reset_watch.h"
#include "wire.h"

struct transport {
	struct ev_loop *loop;
	ev_io io;
	ev_timer timer;
	struct reset_watch reset;
	struct wire wire;
	void (*on_event)(void *arg, enum transport_event event);
	void *arg;
	bool output_high; /* `out` was over half full */
	bool closed;
};

static void stop(struct transport *t)
{
	ev_io_stop(t->loop, &t->io); /* takes back what was fed */
	ev_timer_stop(t->loop, &t->timer);
	reset_watch_stop(t->loop, &t->reset);
}

static void watch(struct transport *t)
{
	int events = (wire_wants_read(&t->wire) ? EV_READ : 0) |
		     (wire_wants_write(&t->wire) ? EV_WRITE : 0);

	if ((t->io.events & (EV_READ | EV_WRITE)) != events) {
		ev_io_stop(t->loop, &t->io);
		ev_io_modify(&t->io, events);
		if (events)
			ev_io_start(t->loop, &t->io);
	}
	if (!events && !t->wire.shut && !t->wire.failed)
		reset_watch_start(t->loop, &t->reset);
	else
		reset_watch_stop(t->loop, &t->reset);
}

static void proceed(struct transport *t)
{
	struct wire *w = &t->wire;

	wire_move(w);
	if (t->output_high && !w->finishing && !w->failed && w->out.len <= w->out.max / 2) {
		t->output_high = false;
		w->due |= WIRE_DUE(TRANSPORT_INPUT);
	}
	if (w->failed)
		stop(t);
	else
		watch(t);
}

/* What became due outside the loop's callbacks is told from the loop. Not left to the socket's next
 * event: what TLS had decrypted already makes no socket readable. */
static void announce(struct transport *t)
{
	if (t->wire.due)
		ev_feed_event(t->loop, &t->io, EV_CUSTOM);
}

static void deliver(struct transport *t)
{
	static const enum transport_event order[] = {TRANSPORT_CONNECTED, TRANSPORT_SECURE,
						     TRANSPORT_INPUT,	  TRANSPORT_EOF,
						     TRANSPORT_DRAINED,	  TRANSPORT_FAILED};

	for (size_t i = 0; i < sizeof order / sizeof order[0] && !t->closed; i++) {
		if (!(t->wire.due & WIRE_DUE(order[i])))
			continue;
		t->wire.due &= ~WIRE_DUE(order[i]);
		t->on_event(t->arg, order[i]);
	}
	if (!t->closed)
		announce(t);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct transport *t = w->data;

	(void)loop;
	if (t->wire.connecting && revents & EV_WRITE)
		wire_connected(&t->wire);
	if (revents & EV_READ)
		wire_receive(&t->wire);
	proceed(t);
	deliver(t);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct transport *t = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	t->on_event(t->arg, TRANSPORT_TIMEOUT);
}

static void on_reset(struct reset_watch *w, int error)
{
	struct transport *t = list_of(w, struct transport, reset);

	wire_fail(&t->wire, error);
	stop(t);
	deliver(t);
}

static struct transport *make(struct ev_loop *loop, int fd, size_t in_max, size_t out_max,
			      void (*on_event)(void *arg, enum transport_event event), void *arg)
{
	struct transport *t = mem_new(sizeof *t);

	t->loop = loop;
	t->on_event = on_event;
	t->arg = arg;
	wire_init(&t->wire, fd, in_max, out_max);
	ev_io_init(&t->io, on_io, fd, 0);
	ev_timer_init(&t->timer, on_timer, 0., 0.);
	t->io.data = t->timer.data = t;
	reset_watch_init(&t->reset, fd, on_reset);
	return t;
}

struct transport *transport_new(struct ev_loop *loop, int fd, size_t in_max, size_t out_max,
				void (*on_event)(void *arg, enum transport_event event), void *arg)
{
	struct transport *t = make(loop, fd, in_max, out_max, on_event, arg);

	watch(t);
	return t;
}

struct transport *transport_dial(struct ev_loop *loop, const struct address *address, size_t in_max,
				 size_t out_max,
				 void (*on_event)(void *arg, enum transport_event event), void *arg)
{
	bool connected;
	int fd = dial(address, &connected);
	int error = errno;
	struct transport *t = make(loop, fd, in_max, out_max, on_event, arg);

	t->wire.connecting = true;
	if (fd < 0)
		wire_fail(&t->wire, error);
	else if (connected)
		wire_connected(&t->wire);
	else
		watch(t);
	announce(t);
	return t;
}

static void destroy(void *object)
{
	struct transport *t = object;

	wire_fini(&t->wire);
	free(t);
}

void transport_free(struct transport **transport)
{
	struct transport *t = *transport;

	if (!t)
		return;
	*transport = NULL;
	t->closed = true;
	stop(t);
	if (t->wire.shut && !t->wire.socket_eof)
		linger_start(t->loop, t->io.fd);
	else if (t->io.fd >= 0)
		close(t->io.fd);
	reaper_add(t->loop, t, destroy);
}

void transport_count(struct transport *t, counter *in, counter *out)
{
	t->wire.counted_in = in;
	t->wire.counted_out = out;
}

struct buf *transport_in(struct transport *t)
{
	return &t->wire.in;
}

struct buf *transport_out(struct transport *t)
{
	return &t->wire.out;
}

void transport_pump(struct transport *t)
{
	if (t->wire.failed)
		return;
	if (t->wire.out.len > t->wire.out.max / 2)
		t->output_high = true;
	proceed(t);
	announce(t);
}

void transport_start_tls(struct transport *t, struct tls_context *context, bool input_is_tls)
{
	if (t->wire.failed)
		return;
	wire_start_tls(&t->wire, context, input_is_tls);
	proceed(t);
	announce(t);
}

void transport_start_tls_to(struct transport *t, struct tls_client_context *context)
{
	if (t->wire.failed)
		return;
	wire_start_tls_to(&t->wire, context);
	proceed(t);
	announce(t);
}

const struct tls *transport_tls(const struct transport *t)
{
	return t->wire.stage == WIRE_SECURE ? t->wire.tls : NULL;
}

const char *transport_failure(const struct transport *t)
{
	return t->wire.failure ? t->wire.failure : "";
}

bool transport_failed_in_tls(const struct transport *t)
{
	return t->wire.failed_in_tls;
}

void transport_set_timeout(struct transport *t, double seconds)
{
	if (t->wire.failed)
		return;
	t->timer.repeat = seconds;
	ev_timer_again(t->loop, &t->timer); /* stops it at 0 */
}

void transport_finish(struct transport *t)
{
	if (t->wire.failed || t->wire.finishing)
		return;
	wire_finish(&t->wire);
	proceed(t);
	announce(t);
}
