/* session_state: the inside of a session, shared by session.c (the loop), session_hook.c
 * (questions) and session_mail.c (content and delivery). */
#ifndef SESSION_STATE_H
#define SESSION_STATE_H

#include <stdbool.h>

#include "base/ident.h"
#include "net/transport.h"
#include "session.h"

struct delivery_job;
struct spool_message;

/* What the session waits for. Exactly one thing. */
enum session_wait {
	SESSION_WAIT_INPUT,
	SESSION_WAIT_VERDICT,
	SESSION_WAIT_TLS,
	SESSION_WAIT_DELIVERY,
	SESSION_WAIT_DRAIN, /* the last octets go out */
};

struct session {
	struct list link; /* in host->sessions */
	struct session_listener *listener;
	struct session_host *host;
	struct transport *transport; /* NULL: the client is gone, a delivery still runs */
	struct smtp *smtp;
	enum session_wait wait;
	bool input_ended;    /* the client sends no more */
	bool in_transaction; /* MAIL was accepted, and nothing has ended the transaction since */
	bool draining;	     /* end as soon as no message is in flight */
	bool command_timer_runs;
	enum disconnect_reason reason; /* used when the engine did not end the session itself */
	bool reason_set;
	ev_tstamp began;

	char id[IDENT_SIZE];
	char transaction[IDENT_SIZE]; /* "" outside a transaction */
	char client_ip[ADDRESS_IP_SIZE], listener_ip[ADDRESS_IP_SIZE];
	unsigned client_port, listener_port;

	/* the open question */
	uint64_t question;
	struct hook_request request;
	struct hook_message message_facts;
	struct hook_tls tls_facts;
	char by[65]; /* who decided the last verdict, "" when nobody */

	/* the message */
	struct spool_message *message;
	struct delivery_job *job;
	ev_tstamp delivery_began;
};

/* Goes on after whatever was waited for. */
void session_advance(struct session *s);
void session_publish(struct session *s, const struct event *event);
const char *session_transaction(const struct session *s);

/* session_hook.c: true when the verdict is there at once. */
bool session_ask(struct session *s);
/* Fills request.context and what the hook needs. */
void session_describe(struct session *s, enum hook hook);

/* session_mail.c */
void session_store_body(struct session *s);
/* Makes sure that there is a message object, even for one without octets. */
struct spool_message *session_message(struct session *s);
void session_deliver(struct session *s);

#endif
