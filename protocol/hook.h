/* hook: the points of an SMTP session at which policy services are asked, and the facts a request
 * carries.
 *
 * All of it is borrowed: whoever asks keeps the facts unchanged until the verdict or the
 * cancellation. Client octets are `struct octets` and may hold any value, NUL included; the encoder
 * makes safe JSON of them (hook_json.h). */
#ifndef PROTOCOL_HOOK_H
#define PROTOCOL_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hook {
#define HOOK(name, word, reject, reject_status, tempfail, tempfail_status, verdicts) HOOK_##name,
#include "hooks.def"
#undef HOOK
	HOOK_MAX
};

/* data NULL: absent, which is not the same as empty. */
struct octets {
	const char *data;
	size_t len;
};

/* An esmtp-param (RFC 5321 section 4.1.2); value.data is NULL when there is no "=". */
struct hook_param {
	struct octets name, value;
};

/* A reverse-path or forward-path with the parameters of its command. */
struct hook_mailbox {
	struct octets
		address; /* as sent, without brackets and source route; empty for the null path */
	struct octets local;  /* the local part with its quoting removed */
	struct octets domain; /* as sent; empty for <> and <postmaster> */
	const struct hook_param *params;
	size_t params_len;
};

struct hook_endpoint {
	const char *ip; /* NULL on a Unix socket */
	unsigned port;
};

struct hook_helo {
	const char *verb; /* "EHLO", "HELO" or "LHLO" */
	struct octets name;
};

/* Credentials as decoded. `authzid` is absent unless the client has named whom to act as;
 * `password` and `token` are absent unless the mechanism has them. As a fact of the context:
 * mechanism and user only. */
struct hook_auth {
	const char *mechanism; /* "PLAIN" */
	struct octets authzid, user, password, token;
};

/* The client's certificate. Texts are ours: printable, one line. */
struct hook_tls_peer {
	bool verified; /* it leads to a CA that the operator trusts */
	const char *subject, *issuer;
	const char *fingerprint; /* SHA-256, hexadecimal */
};

struct hook_tls {
	const char *version; /* "TLSv1.3" */
	const char *cipher;
	int bits;
	struct octets sni;		  /* absent when the client named no server */
	const struct hook_tls_peer *peer; /* NULL when the client showed no certificate */
};

/* The load balancer that the client came through, and what its PROXY header said besides the
 * addresses. */
struct hook_proxy {
	struct hook_endpoint endpoint;
	struct octets authority; /* the server name that the client asked for; absent or text */
	struct octets alpn;	 /* absent or text */
	bool tls;		 /* the client spoke TLS to the balancer: the next four */
	bool verified;		 /* and its certificate was verified */
	struct octets version, cipher, common_name; /* absent or text */
	struct octets unique_id;		    /* absent or any octets */
};

/* What is known so far; a NULL pointer is a fact not known yet. */
struct hook_context {
	struct hook_endpoint client;
	const char *client_name;	/* by the DNS; NULL when there is none, or nobody looked */
	bool client_name_verified;	/* the name leads back to the address */
	const struct hook_proxy *proxy; /* NULL when it came by none */
	const char *listener_name;
	struct hook_endpoint listener;
	const struct hook_helo *helo;
	const struct hook_tls *tls;
	const struct hook_auth *auth; /* who has logged in */
	const char *labels; /* of services before: words with a space between; NULL: none */
	const struct hook_mailbox *mail;
	const struct hook_mailbox *recipients; /* encoded at data and message only */
	size_t recipients_len;
};

enum hook_body_mode {
	HOOK_BODY_NONE,
	HOOK_BODY_HEADERS,
	HOOK_BODY_INLINE,
	HOOK_BODY_PATH,
	HOOK_BODY_FD,
	HOOK_BODY_MAX
};

/* The message at the message hook. Octets as received, dots unstuffed. */
struct hook_message {
	uint64_t size;
	const char *headers; /* at most 256 KiB of the header section; headers_full is its whole
				length */
	size_t headers_len;
	uint64_t headers_full;
	const char *data; /* the content when it is in memory, else NULL */
	const char *path; /* relative to the spool directory; NULL until asked for */
	bool quarantine;  /* a service that was asked before wants it held */
};

struct hook_request {
	enum hook hook;
	const char *session;
	const char *transaction; /* NULL outside a transaction */
	struct hook_context context;
	/* the arguments of the hook */
	const struct hook_helo *helo;	    /* ehlo */
	const struct hook_auth *auth;	    /* auth */
	const struct hook_mailbox *mailbox; /* mail, rcpt */
	unsigned index;		      /* rcpt: which RCPT of the transaction this is, from 1 */
	unsigned accepted;	      /* rcpt: recipients accepted so far; data: all of them */
	struct hook_message *message; /* message */
	const char *reason;	      /* disconnect, with the three counts */
	unsigned commands, messages, errors;
};

/* "rcpt" */
const char *hook_word(enum hook hook);
bool hook_from_word(const char *word, enum hook *hook);
/* "path" */
const char *hook_body_mode_word(enum hook_body_mode mode);
bool hook_body_mode_from_word(const char *word, enum hook_body_mode *mode);

/* What a service can need or want to be told. */
enum hook_fact {
	HOOK_FACT_CLIENT,
	HOOK_FACT_CLIENT_NAME,
	HOOK_FACT_CLIENT_PROXY,
	HOOK_FACT_LISTENER,
	HOOK_FACT_HELO,
	HOOK_FACT_TLS,
	HOOK_FACT_TLS_PEER,
	HOOK_FACT_AUTH,
	HOOK_FACT_MAIL,
	HOOK_FACT_RECIPIENTS,
	HOOK_FACT_LABELS,
	HOOK_FACT_MAX
};

#define HOOK_FACTS_ALL ((1u << HOOK_FACT_MAX) - 1)

/* "client.name" */
const char *hook_fact_word(enum hook_fact fact);
bool hook_fact_from_word(const char *word, enum hook_fact *fact);
/* The facts that a request of this hook can ever have, 1u << HOOK_FACT_x. */
unsigned hook_facts(enum hook hook);

enum disconnect_reason {
#define DISCONNECT(name, word, meaning) DISCONNECT_##name,
#include "disconnect.def"
#undef DISCONNECT
	DISCONNECT_MAX
};

/* "client_gone" */
const char *disconnect_reason_word(enum disconnect_reason reason);

#endif
