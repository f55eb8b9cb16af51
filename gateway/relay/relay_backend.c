#include "relay_backend.h"

#include "base/log.h"
#include "relay_state.h"

#define DELAY_MIN	 5
#define DELAY_MAX	 60
#define LOG_PLAIN_PERIOD 60

static void start_timer(struct relay_backend *b, double seconds)
{
	ev_timer_stop(b->relay->loop, &b->probe);
	ev_timer_set(&b->probe, seconds, 0);
	ev_timer_start(b->relay->loop, &b->probe);
}

/* It has told its offer, and mail may have the connection now. */
static void on_connected(void *arg, struct relay_connection *connection)
{
	(void)arg;
	relay_pool_give_back(connection);
}

/* relay_backend_failed() was told of it, unless there was no connection to be had: then there is
 * work for them all, and that tells as much as a probe. */
static void on_refused(void *arg, enum relay_refusal refusal)
{
	struct relay_backend *b = arg;

	if (refusal == RELAY_BUSY)
		start_timer(b, b->delay > 0 ? b->delay : DELAY_MIN);
}

static void on_probe(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct relay_backend *b = w->data;
	uint64_t all = ~(uint64_t)0;

	(void)revents;
	ev_timer_stop(loop, w);
	if (b->request.waiting || b->request.opening)
		return;
	b->request.tried = all & ~((uint64_t)1 << (b - b->relay->backends));
	relay_pool_ask(&b->request);
}

bool relay_backend_init(struct relay_backend *b, struct relay *r, const char *text)
{
	b->relay = r;
	b->text = text;
	b->plain_logged = -LOG_PLAIN_PERIOD;
	relay_request_init(&b->request, r);
	b->request.fresh = true;
	b->request.on_connected = on_connected;
	b->request.on_refused = on_refused;
	b->request.arg = b;
	ev_timer_init(&b->probe, on_probe, 0., 0.);
	b->probe.data = b;
	return address_parse(text, &b->address);
}

void relay_backend_start(struct relay_backend *b)
{
	start_timer(b, 0);
}

void relay_backend_fini(struct relay_backend *b)
{
	relay_pool_cancel(&b->request);
	ev_timer_stop(b->relay->loop, &b->probe);
}

void relay_backend_is_up(struct relay_backend *b, const struct relay_engine_offer *offer)
{
	if (b->down)
		log_info("delivery %s: backend %s is up again", b->relay->settings.name, b->text);
	b->down = false;
	b->delay = 0;
	b->known = true;
	b->offer = *offer;
	ev_timer_stop(b->relay->loop, &b->probe);
}

void relay_backend_failed(struct relay_backend *b, const char *why)
{
	/* Once a change: one that is down all night fills no log. */
	if (!b->down)
		log_warning("delivery %s: backend %s is down: %s", b->relay->settings.name, b->text,
			    why);
	/* While the wait runs, mail that has tried it all the same does not make it longer. */
	if (b->down && ev_is_active(&b->probe))
		return;
	b->down = true;
	b->delay = b->delay > 0 ? b->delay * 2 : DELAY_MIN;
	if (b->delay > DELAY_MAX)
		b->delay = DELAY_MAX;
	start_timer(b, b->delay);
}

void relay_backend_log_plain(struct relay_backend *b, const char *why)
{
	ev_tstamp now = ev_now(b->relay->loop);

	if (now - b->plain_logged < LOG_PLAIN_PERIOD)
		return;
	b->plain_logged = now;
	log_warning("delivery %s: backend %s: in clear, since TLS does not work: %s",
		    b->relay->settings.name, b->text, why);
}
