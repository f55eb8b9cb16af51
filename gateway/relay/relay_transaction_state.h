/* relay_transaction_state: for relay_transaction.c and relay_send.c only. */
#ifndef RELAY_RELAY_TRANSACTION_STATE_H
#define RELAY_RELAY_TRANSACTION_STATE_H

#include "relay_result.h"
#include "relay_state.h"
#include "relay_transaction.h"

enum relay_transaction_state {
	RELAY_AT_REST,	   /* with a connection that waits, or none */
	RELAY_CONNECTING,  /* for asking or sending */
	RELAY_ASKING,	   /* for one recipient */
	RELAY_TELLING_ALL, /* the envelope anew, before sending */
	RELAY_SENDING,
};

struct relay_transaction {
	struct relay *relay;
	enum relay_transaction_state state;
	struct relay_client client;
	struct hook_mailbox sender;
	struct relay_request request;
	struct relay_connection *connection; /* NULL: none */
	bool replaced;			     /* a dead connection was, in silence */
	struct hook_mailbox *told;	     /* recipients that the backend has accepted */
	size_t told_len;
	void *arg;

	struct hook_mailbox asked; /* the recipient of the open question */
	void (*on_result)(void *arg, const struct relay_result *result);

	bool sends; /* what follows is set */
	char *id, *prefix;
	size_t prefix_len;
	struct hook_mailbox *recipients;
	size_t recipients_len;
	uint64_t size; /* with the prefix */
	ssize_t (*read)(void *arg, uint64_t offset, char *buffer, size_t size);
	uint64_t offset;	      /* how much the engine has */
	struct relay_result *results; /* as many as recipients */
	size_t answered;	      /* of them */
	void (*on_sent)(void *arg, const struct relay_result *result,
			const struct relay_result *recipients, size_t recipients_len);
};

/* relay_send.c */
void relay_send_take(struct relay_transaction *t, const struct relay_message *message);
void relay_send_fini(struct relay_transaction *t);
/* The backend has just what the message is for. */
bool relay_send_is_told(const struct relay_transaction *t, const struct hook_mailbox *sender);
/* Tells the engine the whole envelope. */
void relay_send_envelope(struct relay_transaction *t);
void relay_send_begin(struct relay_transaction *t);
/* Events of the connection. */
void relay_send_on_told(struct relay_transaction *t, const struct relay_result *result);
void relay_send_on_body(struct relay_transaction *t);
void relay_send_on_result(struct relay_transaction *t, const struct relay_result *result);
/* The connection is gone, `unknown` when the backend may have the message. */
void relay_send_on_lost(struct relay_transaction *t, const char *backend, bool unknown);
/* Lets the connection go and tells the result; `t` may be gone afterwards. */
void relay_send_finish(struct relay_transaction *t, const struct relay_result *result,
		       const struct relay_result *recipients, size_t recipients_len);

/* relay_transaction.c */
void relay_transaction_let_go(struct relay_transaction *t);

#endif
