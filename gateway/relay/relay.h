/* relay: one or several SMTP or LMTP servers that mail is passed on to.
 *
 *      relay --> pool of connections --> backend 10.1.0.5:25
 *        |                         `---> backend 10.1.0.6:25
 *        `-> transactions, each with a connection of its own while it lasts
 *
 * It answers with the backend's words and never with a 2yz of its own. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct relay;

enum relay_order {
	RELAY_ORDER_FIRST,	 /* the first that is up */
	RELAY_ORDER_ROUND_ROBIN, /* each gets the next connection */
};

enum relay_tls_mode {
	RELAY_TLS_MODE_NONE,
	RELAY_TLS_MODE_OPPORTUNISTIC, /* when it works, whatever the certificate */
	RELAY_TLS_MODE_VERIFIED,      /* with a certificate for tls_name, or not at all */
};

/* How a backend learns who the client is. */
enum relay_show_client {
	RELAY_SHOW_NONE,
	RELAY_SHOW_XCLIENT,
	RELAY_SHOW_PROXY, /* PROXY protocol, version 2 */
};

struct relay_settings {
	const char *name; /* of the delivery, for the log */
	bool lmtp;
	const char *const *addresses; /* as address_parse() takes them; at least one */
	size_t addresses_len;
	enum relay_order order;
	enum relay_tls_mode tls;
	const char *tls_name; /* must be set with RELAY_TLS_MODE_VERIFIED; else NULL is fine */
	const char *tls_ca;   /* PEM file; NULL: the system's authorities */
	enum relay_show_client show_client;
	const char *user, *password; /* AUTH PLAIN, only over TLS; NULL: none */
	unsigned connections;	     /* at most, of this process */
	unsigned reuse;		     /* transactions of one connection */
	unsigned recipients;	     /* lmtp: of one transaction; 0: no limit */
	double idle;		     /* seconds that a connection without work is kept */
	double timeout;		     /* seconds for each reply but the one to the message */
	const char *hostname;	     /* for EHLO */
};

/* What the backends that are up have in common. */
struct relay_offer {
	bool known; /* a backend has answered since the start; else the least that can be */
	bool eight_bit, smtputf8, dsn, binary, requiretls;
	uint64_t size;	     /* the smallest limit; 0: none */
	unsigned recipients; /* of one transaction; 0: no limit */
};

/* Opens a first connection to each backend soon after. All strings are copied. NULL with a reason
 * in `error`, which names the file where there is one. */
struct relay *relay_new(struct ev_loop *loop, const struct relay_settings *settings, char *error,
			size_t error_size);
void relay_offer(const struct relay *r, struct relay_offer *offer);
/* All transactions must be freed. Closes every connection; memory is given back after the loop
 * turn. Sets the pointer to NULL. */
void relay_free(struct relay **r);

#endif
