/* How a session begins: who the client is (PROXY protocol, names), whether there is room for it,
 * and then the engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/proxy_header.h"
#include "net/resolver.h"
#include "policy/policy.h"
#include "session_state.h"
#include "shared/clients.h"

/* A balancer writes its header at once; whatever is silent that long is none. */
#define SESSION_PROXY_TIME 5.0

/* --- the client is known --- */

static void connect_event(struct session *s)
{
	struct event event;

	event_init(&event, EVENT_CONNECT, s->id, NULL);
	if (s->client_ip[0]) {
		event_add_text(&event, "ip", s->client_ip);
		event_add_integer(&event, "port", s->client_port);
	}
	event_add_text(&event, "listener", s->listener->name);
	session_publish(s, &event);
}

/* A client on a Unix socket has no address to be counted by. */
static bool count_client(struct session *s, const struct address *client)
{
	struct session_host *host = s->host;
	const unsigned char *octets;
	unsigned length = address_octets(client, &octets);

	if (s->client_key)
		clients_remove(host->clients, host->worker, s->client_key);
	s->client_key = length ? clients_key(octets, length) : 0;
	return !s->client_key || clients_add(host->clients, host->worker, s->client_key) <=
					 host->connections_per_client;
}

/* What the services see, and what the client may. */
static void set_client(struct session *s, const struct address *client,
		       const struct address *server)
{
	const struct session_listener *listener = s->listener;

	address_ip(client, s->client_ip);
	address_ip(server, s->listener_ip);
	s->client_port = address_port(client);
	s->listener_port = address_port(server);
	if (address_blocks_have(listener->relay_clients, listener->relay_clients_len, client))
		smtp_allow_relay(s->smtp);
	if (address_blocks_have(listener->xclient_peers, listener->xclient_peers_len, client))
		smtp_allow_xclient(s->smtp);
}

/* Everything that is waited for before the banner has come. */
static void begin(struct session *s)
{
	session_wait_for(s, SESSION_WAIT_BANNER);
	if (s->name_question || s->banner_waits)
		transport_pump(s->transport);
	else
		session_advance(s);
}

static void on_name(void *arg, const struct resolver_name *name)
{
	struct session *s = arg;

	s->name_question = 0;
	s->client_name = mem_copy_string(name->name[0] ? name->name : NULL);
	s->client_name_verified = name->verified;
	begin(s);
}

/* `client` and `server` as the services are to see them. */
static void open_for(struct session *s, const struct address *client, const struct address *server)
{
	struct session_host *host = s->host;
	bool implicit_tls = s->listener->smtp.implicit_tls;

	s->opened = true;
	set_client(s, client, server);
	if (s->health_check) {
		begin(s);
		return;
	}
	connect_event(s);
	if (counters_open(host->counters) > host->connections_max || !count_client(s, client)) {
		smtp_end(s->smtp, DISCONNECT_CONNECTIONS);
		session_advance(s);
		return;
	}
	if (s->listener->resolve_names && s->client_ip[0])
		s->name_question = resolver_look_up(host->resolver, client, on_name, s);
	/* Under implicit TLS the client has to speak first. */
	s->banner_waits = host->banner_wait > 0 && !implicit_tls;
	if (s->banner_waits)
		transport_set_timeout(s->transport, host->banner_wait);
	begin(s);
}

/* A port alone, or an address without one, leaves the other as it was. */
static void read_endpoint(const char *ip, unsigned port, struct address *address)
{
	char text[64];

	snprintf(text, sizeof text, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, port);
	address_parse(text, address);
}

void session_open_xclient(struct session *s)
{
	const struct smtp_xclient *x = smtp_xclient(s->smtp);
	struct address client, server;

	address_of_end(&s->peer, &client);
	address_of_end(&s->local, &server);
	if (x->addr[0])
		read_endpoint(x->addr, x->port, &client);
	if (x->destaddr[0])
		read_endpoint(x->destaddr, x->destport, &server);
	if (x->given & SMTP_XCLIENT_NAME) {
		free(s->client_name);
		s->client_name = mem_copy_string(x->name[0] ? x->name : NULL);
		s->client_name_verified =
			s->client_name != NULL; /* so says the peer, which is trusted */
	}
	smtp_client_changed(s->smtp);
	if (s->memory)
		policy_memory_clear(s->memory);
	s->quarantine_all = false;
	set_client(s, &client, &server);
	if (!count_client(s, &client))
		smtp_end(s->smtp, DISCONNECT_CONNECTIONS);
}

/* --- before it is known --- */

static bool is_same(const struct address *a, const struct address_end *end)
{
	char one[ADDRESS_IP_SIZE], other[ADDRESS_IP_SIZE];
	struct address b;

	address_of_end(end, &b);
	address_ip(a, one);
	address_ip(&b, other);
	return strcmp(one, other) == 0 && address_port(a) == address_port(&b);
}

/* LOCAL in version 2. Version 1 has no such word: HAProxy names its own connection there. */
static bool is_health_check(const struct session *s, const struct proxy_header *header)
{
	return header->local ||
	       (is_same(&header->client, &s->peer) && is_same(&header->server, &s->local));
}

static void read_proxy_header(struct session *s)
{
	struct buf *in = transport_in(s->transport);
	struct proxy_header header;
	struct address client, server;
	const char *reason;
	size_t used;

	switch (proxy_header_read(buf_head(in), in->len, &header, &used, &reason)) {
	case PROXY_HEADER_MORE:
		transport_pump(s->transport);
		return;
	case PROXY_HEADER_BAD:
		log_warning("listener %s: %s: bad PROXY header: %s", s->listener->name,
			    s->client_ip, reason);
		session_end(s);
		return;
	case PROXY_HEADER_GOOD:
		break;
	}
	buf_consume(in, used);
	transport_set_timeout(s->transport, 0);
	if (!is_health_check(s, &header)) {
		s->proxy = mem_new(sizeof header);
		*s->proxy = header;
		open_for(s, &header.client, &header.server);
		return;
	}
	/* The balancer itself: a health check. It costs no question and makes no event, and so may
	 * not bring mail. */
	s->health_check = true;
	address_of_end(&s->peer, &client);
	address_of_end(&s->local, &server);
	open_for(s, &client, &server);
}

void session_new(struct session_listener *listener, int fd, const struct address *peer,
		 const struct address *local)
{
	struct session_host *host = listener->host;
	struct session *s = mem_new(sizeof *s);

	s->listener = listener;
	s->host = host;
	s->began = ev_now(host->loop);
	ident_make(s->id);
	s->transport =
		transport_new(host->loop, fd, SMTP_IN_MAX, SMTP_OUT_MAX, session_on_transport, s);
	session_learn_offer(listener);
	s->smtp = smtp_new(&listener->smtp);
	list_append(&host->sessions, &s->link);
	session_count_begin(s);
	address_end(peer, &s->peer);
	address_end(local, &s->local);
	if (!address_blocks_have(listener->proxy_peers, listener->proxy_peers_len, peer)) {
		open_for(s, peer, local);
		return;
	}
	address_ip(peer, s->client_ip); /* for the log, should no header come */
	session_wait_for(s, SESSION_WAIT_PROXY);
	transport_set_timeout(s->transport, SESSION_PROXY_TIME);
	transport_pump(s->transport);
}

/* --- the world, before the engine runs --- */

void session_open_input(struct session *s)
{
	if (s->wait == SESSION_WAIT_PROXY) {
		read_proxy_header(s);
		return;
	}
	if (!s->banner_waits) /* only its name is waited for: it may speak early, it just is not
				 heard */
		return;
	smtp_early_talk(s->smtp);
	session_advance(s);
}

void session_open_timeout(struct session *s)
{
	if (s->wait == SESSION_WAIT_PROXY) {
		log_warning("listener %s: %s: no PROXY header", s->listener->name, s->client_ip);
		session_end(s);
		return;
	}
	s->banner_waits = false;
	begin(s);
}

void session_open_fini(struct session *s)
{
	if (s->name_question)
		resolver_cancel(s->host->resolver, s->name_question);
	if (s->client_key)
		clients_remove(s->host->clients, s->host->worker, s->client_key);
	free(s->client_name);
	free(s->proxy);
}
