/* session_state: the inside of a session, shared by session.c (the loop), session_open.c (before
 * the engine runs), session_hook.c (questions), session_rcpt.c (recipients), session_mail.c
 * (content and delivery) and session_count.c (numbers). */
#ifndef SESSION_STATE_H
#define SESSION_STATE_H

#include <stdbool.h>

#include "base/ident.h"
#include "net/transport.h"
#include "protocol/event.h"
#include "session.h"

struct delivery_job;
struct delivery_transaction;
struct proxy_header;
struct spool_message;

/* What the session waits for. Exactly one thing. */
enum session_wait {
	SESSION_WAIT_PROXY,  /* the load balancer's header */
	SESSION_WAIT_BANNER, /* the client's name, and its silence */
	SESSION_WAIT_INPUT,
	SESSION_WAIT_VERDICT,
	SESSION_WAIT_RECIPIENT, /* the delivery's word on it */
	SESSION_WAIT_TLS,
	SESSION_WAIT_DELIVERY,
	SESSION_WAIT_PAUSE, /* a while, before wrong credentials are answered */
	SESSION_WAIT_DRAIN, /* the last octets go out */
};

/* What a question needs, and what its answer left: most of a session's memory, given back while its
 * client is silent. */
struct session_asked {
	struct hook_request request;
	struct hook_message message_facts;
	struct hook_tls tls_facts;
	struct hook_tls_peer peer_facts;
	struct hook_proxy proxy_facts;
	char proxy_ip[ADDRESS_IP_SIZE];
	char by[65]; /* who decided the last verdict, "" when nobody */
	/* Where the service that delivers has put this message, "": nowhere. */
	char ref[VERDICT_REF_MAX + 1];
};

struct session {
	struct list link; /* in host->sessions */
	struct session_listener *listener;
	struct session_host *host;
	struct transport *transport; /* NULL: the client is gone, a delivery still runs */
	struct smtp *smtp;
	enum session_wait wait; /* only session_wait_for() sets it */
	enum counters_session counted;
	bool opened;	     /* the client is known: the connect event was made */
	bool health_check;   /* the load balancer itself: no question, no event, no mail */
	bool input_ended;    /* the client sends no more */
	bool in_transaction; /* MAIL was accepted, and nothing has ended the transaction since */
	bool draining;	     /* end as soon as no message is in flight */
	bool command_timer_runs;
	bool banner_waits;
	unsigned auth_failures;
	struct verdict *late; /* on wrong credentials, until the pause is over; else NULL */
	enum disconnect_reason reason; /* used when the engine did not end the session itself */
	bool reason_set;
	ev_tstamp began;
	ev_tstamp body_began; /* 0 outside a message's octets */

	struct address_end peer, local; /* of the socket */
	uint64_t client_key;		/* what it is counted by; 0: it is not */
	uint64_t name_question;
	char *client_name;	    /* NULL: none */
	struct proxy_header *proxy; /* NULL: it came by none */
	bool client_name_verified;

	char id[IDENT_SIZE];
	char transaction[IDENT_SIZE]; /* "" outside a transaction */
	char client_ip[ADDRESS_IP_SIZE], listener_ip[ADDRESS_IP_SIZE];
	unsigned client_port, listener_port;

	uint64_t question;	      /* the open one; 0: none is */
	struct session_asked *asked;  /* NULL while it idles */
	struct policy_memory *memory; /* NULL before the first */
	/* A service wants the message held: this one, or all of the session. */
	bool quarantine, quarantine_all;

	struct delivery_transaction *sending; /* NULL: the delivery was asked for no recipient */

	/* the message */
	struct spool_message *message;
	struct delivery_job *job;
	ev_tstamp delivery_began;
};

/* Goes on after whatever was waited for. */
void session_advance(struct session *s);
void session_on_transport(void *arg, enum transport_event event);
void session_publish(struct session *s, const struct event *event);
/* What `ms` of an event is, since this ev_now(). Not below 0 when the clock was set back. */
double session_ms_since(const struct session *s, double then);
const char *session_transaction(const struct session *s);

/* session_count.c: the session is there, waits for something else, is gone. */
void session_count_begin(struct session *s);
void session_wait_for(struct session *s, enum session_wait wait);
void session_count_end(struct session *s);
void session_count_reply(struct session *s, const struct smtp_reply *reply);
void session_count_secure(struct session *s, const struct tls *tls);
void session_count_message(struct session *s);

/* session_end.c: ends it now, whatever it waits for. */
void session_end(struct session *s);
/* Why, if nothing has been said before and the engine does not end it itself. */
void session_set_reason(struct session *s, enum disconnect_reason reason);
/* The client is gone: ends it, as soon as a delivery that has begun is done. */
void session_client_gone(struct session *s, enum disconnect_reason reason);
void session_reset_event(struct session *s);

/* session_open.c: what happens in SESSION_WAIT_PROXY and SESSION_WAIT_BANNER. */
void session_open_input(struct session *s);
void session_open_timeout(struct session *s);
void session_open_fini(struct session *s);
/* XCLIENT: the session is another client's from now on. */
void session_open_xclient(struct session *s);

/* session_hook.c: true when the verdict is there at once. */
bool session_ask(struct session *s);
/* The verdict that was held back takes effect. */
void session_hook_after_pause(struct session *s);
void session_hook_forget_late(struct session *s);
/* Fills asked->request: the context and what the hook needs. */
void session_describe(struct session *s, enum hook hook);

/* session_edit.c: for policy_ask(). */
const char *session_edit(void *arg, const struct verdict *verdict, char *problem, size_t size);

/* session_rcpt.c: refreshes what the engines of this listener may offer. */
void session_learn_offer(struct session_listener *listener);
/* The result comes later. */
void session_ask_recipient(struct session *s);

/* session_mail.c */
void session_store_body(struct session *s);
/* Makes sure that there is a message object, even for one without octets. */
struct spool_message *session_message(struct session *s);
/* True: the message has its result. False: it comes later. */
bool session_deliver(struct session *s);

#endif
