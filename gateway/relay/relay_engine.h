/* relay_engine: the client side of SMTP (RFC 5321) and LMTP (RFC 2033) as an engine without I/O.
 *
 *      in <- server        [ reply -> what was asked -> next command ]        out -> server
 *
 *      banner, EHLO, STARTTLS, XCLIENT, AUTH -> READY <-> recipients -> body -> results -> READY
 *
 * The caller puts what the server sent into `in`, calls relay_engine_step(), does what it says and
 * calls again. The engine knows no socket, no clock, no loop. What is asked of it is written by the
 * next step. A result is never better than the reply that the server gave. */
#ifndef RELAY_RELAY_ENGINE_H
#define RELAY_RELAY_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "protocol/hook.h"

/* What `in` must be able to hold: more than one line of a reply. */
#define RELAY_IN_MAX 16384
/* What `out` must be able to hold; a command is written only where there is room for it. */
#define RELAY_OUT_MAX 65536

enum relay_engine_tls {
	RELAY_TLS_NONE,
	RELAY_TLS_OPPORTUNISTIC, /* when it is offered; in clear when STARTTLS is refused */
	RELAY_TLS_REQUIRED,	 /* else RELAY_FAILED before anything is said of a message */
};

/* Kept by the caller, unchanged, as long as any engine uses it. */
struct relay_engine_settings {
	bool lmtp;
	const char *hostname; /* for EHLO and LHLO */
	enum relay_engine_tls tls;
	/* NULL: no login. It is said only under TLS; where it cannot be said, or is refused, the
	 * connection has failed. */
	const char *user, *password;
};

enum relay_step {
	RELAY_NEED_INPUT, /* flush out; step again when the server has said more or out has room */
	RELAY_NEED_TLS,	  /* flush out, shake hands, then relay_engine_tls_started(), step again */
	/* Nothing is awaited: ask for something, or not, and step again then. Octets that come now
	 * must lead to a step too: nobody waits for them, it is RELAY_FAILED. */
	RELAY_READY,
	RELAY_GOT_RECIPIENT, /* relay_engine_result() is that of the oldest open recipient; step
				again */
	/* Give pieces with relay_engine_body(), relay_engine_body_end(); flush out; step again when
	 * out has room, and when the server says something: it may refuse at any time. */
	RELAY_NEED_BODY,
	/* relay_engine_result() is that of the message; LMTP: one for each accepted recipient, in
	 * their order, whatever the server answered them with; step again. */
	RELAY_GOT_RESULT,
	RELAY_FAILED, /* close; relay_engine_failure() says why. It stays so. */
	RELAY_CLOSED, /* after relay_engine_quit(): close. It stays so. */
};

enum relay_engine_failure {
	RELAY_FAILURE_NONE,
	RELAY_FAILURE_LOST,    /* the server has gone: relay_engine_lost() */
	RELAY_FAILURE_CLOSING, /* it has said 421 */
	RELAY_FAILURE_REFUSED, /* it wants no session: banner, EHLO, XCLIENT */
	RELAY_FAILURE_TLS,     /* TLS is required and not offered, or refused */
	RELAY_FAILURE_LOGIN,   /* the login is not possible or was refused */
	RELAY_FAILURE_BROKEN,  /* what it says is no SMTP, or makes no sense here */
	RELAY_FAILURE_UNASKED, /* it talks when nobody has asked it anything */
};

/* What the last EHLO or LHLO lists; all zero after HELO and before. */
struct relay_engine_offer {
	bool pipelining, eight_bit, smtputf8, dsn, chunking, starttls, requiretls, enhanced;
	bool binary;	     /* BINARYMIME, and CHUNKING which it needs */
	bool auth_plain;     /* RFC 4616 */
	unsigned xclient;    /* attributes, RELAY_XCLIENT_x */
	uint64_t size;	     /* octets of a message; 0: no limit is told */
	unsigned recipients; /* LIMITS RCPTMAX (RFC 9422); 0: no limit is told */
	unsigned messages;   /* LIMITS MAILMAX: of one connection; 0: no limit is told */
};

enum {
	RELAY_XCLIENT_NAME = 1 << 0,
	RELAY_XCLIENT_ADDR = 1 << 1,
	RELAY_XCLIENT_PORT = 1 << 2,
	RELAY_XCLIENT_PROTO = 1 << 3,
	RELAY_XCLIENT_HELO = 1 << 4,
	RELAY_XCLIENT_LOGIN = 1 << 5,
	RELAY_XCLIENT_DESTADDR = 1 << 6,
	RELAY_XCLIENT_DESTPORT = 1 << 7,
};

/* Whom XCLIENT speaks of. What is NULL, absent or 0 is told as unavailable. */
struct relay_engine_client {
	const char *name, *addr, *destaddr; /* addresses without any prefix */
	unsigned port, destport;
	bool extended; /* it has said EHLO */
	struct octets helo, login;
};

/* A recipient's or a message's reply. Valid until the next step. */
struct relay_engine_result {
	/* 2yz, 4yz or 5yz, of the server, or of the engine where the server could not be asked (it
	 * lacks SMTPUTF8, ...). Never 421: that of a message is told as 451, any other is
	 * RELAY_FAILED. */
	int code;
	const char *status; /* enhanced code of the same class; "" where there was none */
	const char *text;   /* first line without code and status; printable ASCII, at most 500 */
	/* Recipients count from 0 in the order of relay_engine_recipient() since
	 * relay_engine_begin(). RELAY_GOT_RESULT: of LMTP the recipient; of SMTP 0. */
	unsigned index;
};

/* The first step waits for the banner. */
struct relay_engine *relay_engine_new(const struct relay_engine_settings *settings);
void relay_engine_free(struct relay_engine **e);

/* Consumes from `in`, appends to `out`. in.max >= RELAY_IN_MAX and out.max >= RELAY_OUT_MAX are
 * asserted at the first step. */
enum relay_step relay_engine_step(struct relay_engine *e, struct buf *in, struct buf *out);
/* The server sends no more; what is in `in` still counts. Step again. */
void relay_engine_lost(struct relay_engine *e);

/* --- RELAY_NEED_TLS --- */
/* The handshake is done; `in` must be empty. All that the server said in clear is forgotten (RFC
 * 3207 4.2). `verified`: its certificate has the wanted name and leads to a trusted authority. */
void relay_engine_tls_started(struct relay_engine *e, bool verified);
bool relay_engine_is_secure(const struct relay_engine *e);

/* --- RELAY_READY, outside a transaction; the first also before the first step --- */
/* Says XCLIENT with the attributes that the server lists, all of them, then EHLO again; nothing
 * when it lists none. Copies the facts. RELAY_READY follows. A server that refuses is
 * RELAY_FAILED, since it would take one client for another. */
void relay_engine_show_client(struct relay_engine *e, const struct relay_engine_client *client);
/* RELAY_CLOSED follows. */
void relay_engine_quit(struct relay_engine *e);

/* --- a transaction --- */
/* Begins one; nothing is said before its first recipient. Copies the sender. Of its parameters it
 * passes on BODY, SMTPUTF8, RET, ENVID and REQUIRETLS, when the server has their extension; RET and
 * ENVID are left out where it has not, SIZE and AUTH always. For the others each recipient's result
 * is the refusal: 554 5.6.3 BODY, 553 5.6.7 SMTPUTF8, 550 5.7.30 REQUIRETLS (also without verified
 * TLS).
 *
 * Allowed at RELAY_READY outside a transaction, and right after relay_engine_reset(). */
void relay_engine_begin(struct relay_engine *e, const struct hook_mailbox *sender);
/* Asks for one more recipient; copies it. Several may be asked for without waiting: the results
 * come in the same order. MAIL goes with the first; its refusal is the result of every recipient.
 * NOTIFY and ORCPT are left out where the server has no DSN. Not after relay_engine_send(). */
void relay_engine_recipient(struct relay_engine *e, const struct hook_mailbox *recipient);
/* How many recipients of the transaction the server has accepted. */
unsigned relay_engine_accepted(const struct relay_engine *e);
/* True when the server has answered anything since relay_engine_begin(). While false, a connection
 * that was used before and fails may be replaced by another in silence. */
bool relay_engine_has_answered(const struct relay_engine *e);
/* Sends the message of `size` octets; at least one recipient is accepted and none is open.
 * `chunking`: by BDAT where the server has CHUNKING, in one chunk; it is always so for
 * BODY=BINARYMIME. A message beyond the server's SIZE gets 552 5.3.4 and is not sent.
 * RELAY_NEED_BODY or RELAY_GOT_RESULT follows. The transaction is over with its last result. */
void relay_engine_send(struct relay_engine *e, uint64_t size, bool chunking);
/* Forgets the transaction: results that are open do not come any more. False when the server is
 * being sent a message, or its result is awaited: then only closing the connection ends it. Nothing
 * is said where no transaction is. */
bool relay_engine_reset(struct relay_engine *e);

/* --- RELAY_NEED_BODY --- */
/* Appends the next octets of the message and returns how many were taken; fewer than `len` when out
 * is full. By DATA: dots are put in, and a CR or LF that is no CRLF becomes CRLF (RFC 5321 2.3.8
 * forbids it; a server that takes it for a line end could be made to see the end of the message
 * there, CVE-2023-51764). By BDAT: as they are; all together exactly the `size` that was told. */
size_t relay_engine_body(struct relay_engine *e, struct buf *out, const char *data, size_t len);
/* The message is complete. The next step writes its end. Without this call the server never takes
 * the message, whatever else happens. */
void relay_engine_body_end(struct relay_engine *e);

/* --- RELAY_GOT_RECIPIENT, RELAY_GOT_RESULT --- */
const struct relay_engine_result *relay_engine_result(const struct relay_engine *e);

/* --- at any time --- */
const struct relay_engine_offer *relay_engine_offer(const struct relay_engine *e);
/* True while the end of a message has been written and not all of its results are known: who closes
 * now, or has RELAY_FAILED, does not know whether the server has taken it. Also the time in which
 * the long timeout holds. */
bool relay_engine_outcome_unknown(const struct relay_engine *e);
enum relay_engine_failure relay_engine_failure(const struct relay_engine *e);
/* For the log: one line, printable ASCII, with the server's reply where there was one. */
const char *relay_engine_failure_text(const struct relay_engine *e);

#endif
