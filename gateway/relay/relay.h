/* relay: one or several SMTP or LMTP servers that mail is passed on to.
 *
 *      relay --> pool of connections --> backend 10.1.0.5:25
 *        |                         `---> backend 10.1.0.6:25
 *        `-> transactions, each with a connection of its own while it lasts
 *
 * It answers with the backend's words and never with a 2yz of its own. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <stdbool.h>
#include <stddef.h>

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

/* "smtp" or "lmtp". */
const char *relay_word(const struct relay_settings *settings);

#endif
