/* session: one client from accept to close. The only place where the SMTP engine meets the world.
 *
 *      transport --on_transport--.                        ,--> policy_ask    (a hook is open)
 *      policy    --on_verdict----+--> loop over ----------+--> spool, delivery (octets, a whole
 * message) delivery  --on_delivered--'    smtp_step()         `--> event_bus     (a reply has been
 * made)
 *
 * It decides nothing itself: what may be said is the engine's, who may say it the services', where
 * mail goes the delivery's. */
#ifndef SESSION_H
#define SESSION_H

#include <ev.h>

#include "base/list.h"
#include "delivery/spool.h"
#include "net/address_block.h"
#include "protocol/hook.h"
#include "shared/counters.h"
#include "smtp/smtp.h"

struct clients;
struct delivery;
struct event_bus;
struct policy;
struct resolver;
struct tls_context;
struct session;

/* What all sessions of a worker share. */
struct session_host {
	struct ev_loop *loop;
	struct policy *policy;
	struct event_bus *events;
	struct counters *counters;
	struct counters_slot *slot; /* this worker's */
	struct clients *clients;
	unsigned worker;
	struct resolver *resolver; /* NULL: no listener resolves names */
	struct list sessions;
	const char *hostname;
	struct spool spool;
	uint64_t connections_max;
	unsigned connections_per_client;
	double banner_wait; /* seconds a client must be silent before the banner; 0: it need not */
	uint64_t data_rate; /* least octets a second of a message; 0: any */
	double command_timeout, data_timeout, session_time; /* seconds */
	double message_time; /* seconds that the services together may take for a message */
	void (*on_empty)(
		void *arg); /* the last session has ended, from the loop; NULL: nobody asks */
	void *arg;
};

/* What all sessions of a listener share. */
struct session_listener {
	struct session_host *host;
	const char *name;
	struct smtp_settings
		smtp;		 /* what the delivery has a say in is filled in by session_new() */
	struct smtp_offer offer; /* of the delivery, as it was said last; ours */
	struct tls_context *tls; /* NULL without TLS */
	/* Peers that must begin with a PROXY header; peers that may say XCLIENT; clients that may
	 * send to any domain. */
	const struct address_block *proxy_peers, *xclient_peers, *relay_clients;
	size_t proxy_peers_len, xclient_peers_len, relay_clients_len;
	bool resolve_names;
	bool received_client; /* Received: fields name the client and its address */
	const size_t *policies;
	size_t policies_len;
	struct delivery *delivery;
};

/* Takes fd over; the session ends itself. */
void session_new(struct session_listener *listener, int fd, const struct address *peer,
		 const struct address *local);
/* The gateway stops: each session that has no message in flight gets 421 4.3.2 now, the others when
 * theirs has its reply. */
void session_drain_all(struct session_host *host);
/* Closes every session without another word; deliveries that run still end. */
void session_close_all(struct session_host *host);

#endif
