#include "relay_connection.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/proxy_header.h"
#include "net/reaper.h"
#include "net/transport.h"
#include "relay_state.h"

#define CONNECT_TIME 30
/* RFC 5321 4.5.3.2.6: a server may take this long over a message that it has all of. */
#define RESULT_TIME 600
#define QUIT_TIME   5
/* A whole window of pieces besides what the engine asks for. */
#define OUT_MAX (RELAY_OUT_MAX * 2)

static double time_limit(const struct relay_connection *c)
{
	if (!c->connected)
		return CONNECT_TIME;
	if (c->quitting)
		return QUIT_TIME;
	if (c->idle)
		return c->relay->settings.idle;
	if (c->ready) /* the client takes its time, and the backend has a limit of its own */
		return 0;
	return relay_engine_outcome_unknown(c->engine) ? RESULT_TIME : c->relay->settings.timeout;
}

static void set_timer(struct relay_connection *c)
{
	transport_set_timeout(c->transport, time_limit(c));
}

/* The last event. */
static void end(struct relay_connection *c, const char *why)
{
	if (c->over)
		return;
	c->over = true;
	snprintf(c->failure, sizeof c->failure, "%s", why);
	transport_set_timeout(c->transport, 0);
	c->on_event(c->arg, RELAY_CONNECTION_OVER);
}

/* What came in clear behind the answer to STARTTLS was put there by somebody in the middle
 * (CVE-2011-0411). */
static bool start_tls(struct relay_connection *c)
{
	if (transport_in(c->transport)->len) {
		end(c, "octets in clear behind the answer to STARTTLS");
		return false;
	}
	c->shaking = true;
	transport_start_tls_to(c->transport, c->relay->tls);
	return true;
}

static void tell(struct relay_connection *c, enum relay_connection_event event)
{
	c->on_event(c->arg, event);
}

/* True when there is more to do at once. */
static bool step(struct relay_connection *c)
{
	enum relay_step next = relay_engine_step(c->engine, transport_in(c->transport),
						 transport_out(c->transport));

	c->ready = next == RELAY_READY;
	switch (next) {
	case RELAY_NEED_INPUT:
		return false;
	case RELAY_NEED_TLS:
		start_tls(c);
		return false;
	case RELAY_READY:
		c->opened = true;
		tell(c, RELAY_CONNECTION_READY);
		return false;
	case RELAY_GOT_RECIPIENT:
		tell(c, RELAY_CONNECTION_RECIPIENT);
		return true;
	case RELAY_NEED_BODY:
		tell(c, RELAY_CONNECTION_BODY);
		return false;
	case RELAY_GOT_RESULT:
		tell(c, RELAY_CONNECTION_RESULT);
		return true;
	case RELAY_FAILED:
		end(c, relay_engine_failure_text(c->engine));
		return false;
	case RELAY_CLOSED:
		end(c, "closed");
		return false;
	}
	return false;
}

static void advance(struct relay_connection *c)
{
	size_t before = transport_in(c->transport)->len;

	while (!c->over && !c->closed && step(c))
		;
	if (c->over || c->closed)
		return;
	/* A server that sends its reply octet by octet does not gain time by that. */
	if (!before || transport_in(c->transport)->len < before)
		set_timer(c);
	transport_pump(c->transport);
}

static void on_soon(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	advance(w->data);
}

static void on_connected(struct relay_connection *c)
{
	c->connected = true;
	log_debug("delivery %s: connected to %s", c->relay->settings.name, c->backend->text);
	set_timer(c);
	transport_pump(c->transport);
}

static void on_secure(struct relay_connection *c)
{
	c->shaking = false;
	relay_engine_tls_started(c->engine, tls_is_verified(transport_tls(c->transport)));
	advance(c);
}

static void on_timeout(struct relay_connection *c)
{
	char text[64];

	if (c->idle) {
		relay_connection_quit(c);
		return;
	}
	snprintf(text, sizeof text,
		 c->connected ? "no answer within %.0f s" : "no connection within %.0f s",
		 time_limit(c));
	end(c, text);
}

static void on_transport(void *arg, enum transport_event event)
{
	struct relay_connection *c = arg;

	if (c->over)
		return;
	switch (event) {
	case TRANSPORT_CONNECTED:
		on_connected(c);
		break;
	case TRANSPORT_INPUT:
		advance(c);
		break;
	case TRANSPORT_EOF:
		relay_engine_lost(c->engine);
		advance(c);
		break;
	case TRANSPORT_SECURE:
		on_secure(c);
		break;
	case TRANSPORT_FAILED:
		/* What the server said before it went still counts. */
		relay_engine_lost(c->engine);
		if (c->connected && !transport_failed_in_tls(c->transport))
			advance(c);
		if (!c->closed)
			end(c, transport_failure(c->transport));
		break;
	case TRANSPORT_TIMEOUT:
		on_timeout(c);
		break;
	case TRANSPORT_DRAINED:
		break;
	}
}

static void show_client(struct relay_connection *c, const struct relay_client *client)
{
	char header[PROXY_HEADER_WRITTEN_MAX];
	size_t len;

	if (c->relay->settings.show_client != RELAY_SHOW_PROXY)
		return;
	if (client && client->has_addresses) {
		c->client.has_addresses = true;
		c->client.client = client->client;
		c->client.server = client->server;
		len = proxy_header_write(header, &client->client, &client->server);
	} else {
		len = proxy_header_write(header, NULL, NULL);
	}
	buf_append(transport_out(c->transport), header, len);
}

struct relay_connection *relay_connection_new(struct relay *r, struct relay_backend *backend,
					      const struct relay_client *client, bool in_clear)
{
	struct relay_connection *c = mem_new(sizeof *c);

	c->relay = r;
	c->backend = backend;
	c->in_clear = in_clear;
	c->engine = relay_engine_new(in_clear ? &r->in_clear : &r->engine);
	ev_timer_init(&c->soon, on_soon, 0., 0.);
	c->soon.data = c;
	list_init(&c->idle_link);
	list_append(&r->connections, &c->link);
	r->connections_len++;
	c->transport =
		transport_dial(r->loop, &backend->address, RELAY_IN_MAX, OUT_MAX, on_transport, c);
	show_client(c, client);
	set_timer(c);
	return c;
}

void relay_connection_step(struct relay_connection *c)
{
	if (!c->over && !c->closed)
		ev_feed_event(c->relay->loop, &c->soon, EV_CUSTOM);
}

void relay_connection_quit(struct relay_connection *c)
{
	relay_connection_work(c);
	c->quitting = true;
	relay_engine_quit(c->engine);
	relay_connection_step(c);
}

void relay_connection_rest(struct relay_connection *c)
{
	c->idle = true;
	set_timer(c);
}

void relay_connection_work(struct relay_connection *c)
{
	c->idle = false;
	list_remove(&c->idle_link);
}

size_t relay_connection_body(struct relay_connection *c, const char *data, size_t len)
{
	return relay_engine_body(c->engine, transport_out(c->transport), data, len);
}

bool relay_connection_failed_in_tls(const struct relay_connection *c)
{
	return !c->opened && (c->shaking || transport_failed_in_tls(c->transport));
}

static void destroy(void *object)
{
	struct relay_connection *c = object;

	relay_engine_free(&c->engine);
	free(c);
}

void relay_connection_free(struct relay_connection *c)
{
	if (c->closed)
		return;
	if (c->idle && !c->over) { /* it is good manners, and nobody waits for the answer */
		relay_engine_quit(c->engine);
		relay_engine_step(c->engine, transport_in(c->transport),
				  transport_out(c->transport));
		transport_pump(c->transport);
	}
	c->closed = c->over = true;
	ev_clear_pending(c->relay->loop, &c->soon);
	list_remove(&c->link);
	list_remove(&c->idle_link);
	c->relay->connections_len--;
	transport_free(&c->transport);
	reaper_add(c->relay->loop, c, destroy);
}
