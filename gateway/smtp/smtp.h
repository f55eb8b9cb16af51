/* smtp: the server side of SMTP (RFC 5321) as an engine without I/O.
 *
 *      in  --> [ line -> command -> rule -> hook ]  --> out
 *              [ dot reader -> body              ]
 *
 * The caller puts what the client sent into `in`, calls smtp_step(), does what it says, and calls
 * again. The engine knows no socket, no clock, no loop, no service: it is handed verdicts and
 * results. One question is open at a time; while it is, nothing of `in` is consumed. The same
 * octets give the same result however they are cut.
 *
 * Who reads the next octet:  GREETING -> COMMAND <-> BODY,  COMMAND <-> TLS,  any -> GONE. */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "protocol/hook.h"
#include "protocol/verdict.h"

/* Octets of a command line with its CRLF: 512 (RFC 5321 4.5.3.1.4), and what the extensions add to
 * MAIL, 500 for AUTH above all. A line of AUTH may have SMTP_AUTH_LINE_MAX. */
#define SMTP_LINE_MAX 2048
/* What `in` must be able to hold (at least SMTP_AUTH_LINE_MAX, else a deadlock). */
#define SMTP_IN_MAX 65536
/* What `out` must be able to hold; the engine asks for input only below half. */
#define SMTP_OUT_MAX 65536

/* What the delivery can take. The caller may change it between steps: it counts when EHLO is
 * answered, when parameters are checked, and at the begin of a message. What is not offered is not
 * listed, and unknown when a client uses it. */
struct smtp_offer {
	bool eight_bit;	     /* 8BITMIME */
	bool smtputf8;	     /* with 8BITMIME only */
	bool dsn;	     /* see smtp_dsn.h for what that promises */
	bool chunking;	     /* without it BDAT is 502 */
	bool binary;	     /* BINARYMIME, with CHUNKING only */
	bool requiretls;     /* under TLS */
	uint64_t size;	     /* octets of a message; 0: no limit but the settings' */
	unsigned recipients; /* of a message; 0: no limit but the settings' */
};

/* Kept by the caller, unchanged, as long as any engine uses it. */
struct smtp_settings {
	const char *hostname;
	uint64_t message_size; /* octets */
	unsigned recipients;   /* of one message; more get 452 4.5.3 */
	/* Of one connection; beyond them 421 4.7.0 and the end. Errors are the client's own faults
	 * since the last message that was delivered; messages are those delivered. */
	unsigned errors, commands, messages;
	bool lmtp;			/* LMTP (RFC 2033) in place of SMTP */
	const struct smtp_offer *offer; /* NULL: everything but DSN */
	bool recipients_asked;		/* the delivery is asked for each: SMTP_NEED_RECIPIENT */
	bool starttls;			/* offered, a certificate is there */
	bool implicit_tls;		/* the first step is SMTP_NEED_TLS */
	bool require_tls;
	bool auth;		  /* offered under TLS */
	bool bare_newline_accept; /* messages with a CR or LF that is no CRLF: kept as they came */
	bool accept_any;	  /* every domain */
	const char *const *accept_domains; /* lower case; other recipients are refused 550 5.7.1 */
	size_t accept_domains_len;
};

enum smtp_step {
	SMTP_NEED_INPUT,     /* step again when the client has sent more */
	SMTP_NEED_VERDICT,   /* ask smtp_hook() with smtp_describe(), smtp_verdict(), step again */
	SMTP_NEED_TLS,	     /* flush out, shake hands, then smtp_tls_started() and step again */
	SMTP_NEED_CLIENT,    /* take smtp_xclient() over, then smtp_client_changed() and step again;
			      * only after smtp_allow_xclient() */
	SMTP_NEED_RECIPIENT, /* ask the delivery for the recipient, smtp_recipient(), step again;
			      * only with settings.recipients_asked */
	SMTP_GOT_BODY,	     /* store smtp_body() (or smtp_body_failed()), step again */
	SMTP_GOT_REPLY,	     /* report smtp_last_reply(), step again */
	SMTP_NEED_DELIVERY,  /* hand the message over, then smtp_delivered() and step again */
	SMTP_FINISHED,	     /* flush out, close; smtp_disconnect_reason() says why */
};

enum smtp_verb {
	/* A reply to no command: the banner, or the 421 of smtp_end() between two commands. */
	SMTP_GREETING,
	SMTP_UNKNOWN, /* a line that is no command */
	SMTP_EHLO,
	SMTP_HELO,
	SMTP_LHLO,
	SMTP_XCLIENT,
	SMTP_STARTTLS,
	SMTP_AUTH,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA, /* also the first BDAT of a message, if it does not end the message */
	SMTP_BDAT, /* any other BDAT that does not end the message */
	SMTP_MESSAGE,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_VRFY,
	SMTP_EXPN,
	SMTP_HELP,
	SMTP_QUIT,
};

/* A reply that has been written to `out`. Valid until the next step. */
struct smtp_reply {
	/* SMTP_MESSAGE: the reply after the final dot, to the BDAT that ends the message, or the
	 * 421 before that. */
	enum smtp_verb verb;
	/* The command line without its CRLF, cut at SMTP_LINE_MAX; empty for GREETING and, unless
	 * the message came by BDAT, for MESSAGE. Credentials are not in it: "AUTH PLAIN *". */
	struct octets line;
	const struct hook_helo *helo; /* EHLO, HELO, LHLO: when the name was readable, else NULL */
	/* MAIL, RCPT: when the path was readable. MESSAGE in LMTP: the recipient that is answered,
	 * one reply for each; the last one ends the transaction. Else NULL. */
	const struct hook_mailbox *mailbox;
	/* AUTH: mechanism and user when a service was asked, else NULL. */
	const struct hook_auth *auth;
	unsigned recipients; /* DATA: how many were accepted, so far as the client knows */
	/* Told as a success, and thrown away. RCPT, and MESSAGE in LMTP: nothing reaches this
	 * recipient. MAIL, DATA, BDAT, MESSAGE: nothing reaches anybody. */
	bool discarded;
	bool by_delivery; /* RCPT: it is the delivery that refuses */
	int code;
	const char *status; /* enhanced status code, "" where the reply has none */
	const char *text;   /* first line, without code and status */
	/* A word when the client broke SMTP as attacks do ("bare_newline" "early_talk"
	 * "line_too_long" "not_smtp"), else NULL. */
	const char *violation;
	bool transaction_begun; /* MAIL was accepted */
	bool transaction_ended; /* by this reply, whatever it was */
};

/* in.max >= SMTP_AUTH_LINE_MAX is asserted at the first step. */
struct smtp *smtp_new(const struct smtp_settings *settings);
void smtp_free(struct smtp **s);

/* Consumes from `in`, appends to `out`. SMTP_NEED_INPUT is also said, with commands left in `in`,
 * while more than half of `out` is full: step again when it has drained. */
enum smtp_step smtp_step(struct smtp *s, struct buf *in, struct buf *out);

/* --- SMTP_NEED_VERDICT --- */
enum hook smtp_hook(const struct smtp *s);
/* Fills the arguments of the open hook and, of the context, helo, mail and recipients. What it
 * points at stays as it is until smtp_edit(), smtp_verdict() (at the message hook: until its reply)
 * or smtp_free(). Usable at any time for the disconnect hook's counts.
 *
 * Recipients that were discarded are in no list and no count of it; `index` counts RCPT commands
 * and so has gaps where they were. */
void smtp_describe(const struct smtp *s, struct hook_request *request);
/* Makes the changes of the envelope that a service asks for, all or none of them; the kinds that
 * speak of header fields are passed over. To be called while the verdict of the mail, data or
 * message hook is awaited, any number of times; the recipients are those that smtp_describe() shows
 * now, and what it has shown before is gone.
 *
 * NULL when they are made. Else what is wrong, for the service's author, in `problem` (printable
 * ASCII): an address that MAIL or RCPT could not have had in this transaction, too many recipients
 * or none left, a place without one, an edit that has no sense at this hook. The parameters of MAIL
 * stay with a new sender. A recipient that is there already is added by nothing. The drops are made
 * before the additions. LMTP answers the RCPT commands that were accepted, whatever was edited. */
const char *smtp_edit(struct smtp *s, const struct edit *edits, size_t edits_len, char *problem,
		      size_t size);
/* Copies what it needs of the verdict: accept, tempfail, reject, disconnect, or at mail, rcpt, data
 * and message discard.
 *
 * A discard is told the client as an accept, with the same replies and refusals of the gateway's
 * own. At rcpt it drops this recipient, which counts for DATA and for the limit as an accepted one
 * does. Elsewhere it drops the message. When nobody is left who could receive anything, no more
 * hooks are asked in the transaction, and its octets are no SMTP_GOT_BODY. */
void smtp_verdict(struct smtp *s, const struct verdict *verdict);

/* --- SMTP_NEED_TLS --- */
/* The handshake is done: all that the client said in clear is forgotten (RFC 3207 4.2). */
void smtp_tls_started(struct smtp *s);
bool smtp_is_secure(const struct smtp *s);
/* AUTH has succeeded: the session may send to any domain. */
bool smtp_is_authenticated(const struct smtp *s);

/* --- what the peer may --- */
/* It may name recipients of any domain, as a client of the house; until smtp_client_changed(). */
void smtp_allow_relay(struct smtp *s);
/* It may say with XCLIENT for whom it speaks. */
void smtp_allow_xclient(struct smtp *s);
/* It has sent octets before the banner, for which it had to wait: 554 and the end, as with
 * smtp_end(). Not to be called any more when the banner was written. */
void smtp_early_talk(struct smtp *s);

/* --- SMTP_NEED_CLIENT --- */
#define SMTP_XCLIENT_TEXT_MAX 256 /* with the NUL */

enum {
	SMTP_XCLIENT_NAME = 1 << 0,
	SMTP_XCLIENT_ADDR = 1 << 1,
	SMTP_XCLIENT_PORT = 1 << 2,
	SMTP_XCLIENT_PROTO = 1 << 3,
	SMTP_XCLIENT_HELO = 1 << 4,
	SMTP_XCLIENT_LOGIN = 1 << 5,
	SMTP_XCLIENT_DESTADDR = 1 << 6,
	SMTP_XCLIENT_DESTPORT = 1 << 7,
};

/* All that XCLIENT has said in this session. A text is "" and a port 0 when the attribute was not
 * given, or was given as unavailable: then its bit is set. */
struct smtp_xclient {
	unsigned given;
	char name[SMTP_XCLIENT_TEXT_MAX];
	char addr[46], destaddr[46]; /* IPv4, or IPv6 without a prefix */
	unsigned port, destport;
	char proto[6]; /* "SMTP" or "ESMTP" */
	char helo[SMTP_XCLIENT_TEXT_MAX];
	char login[SMTP_XCLIENT_TEXT_MAX]; /* UTF-8 without controls and blanks, as helo */
};

/* NULL before the first XCLIENT. Stays as it is until the next SMTP_NEED_CLIENT. */
const struct smtp_xclient *smtp_xclient(const struct smtp *s);
/* The session is that of another client now and begins anew: the connect hook, the banner. With a
 * login it is authenticated. */
void smtp_client_changed(struct smtp *s);

/* --- SMTP_NEED_RECIPIENT --- */
/* What the delivery says of the recipient that smtp_describe() shows as `mailbox`: the services
 * have accepted it, and the relay rule lets it pass. Those that were discarded are not asked for.
 * The code is a 2yz, a 4yz or a 5yz, and becomes the reply as it is, but for the words of its own
 * that a service's accept had, which stand before a 2yz's, and a 421, which becomes a 451: the
 * delivery's connection ends and not the client's. A refusal does not count as the client's fault.
 * A status that is "" or of another class becomes X.0.0. Copies. */
void smtp_recipient(struct smtp *s, int code, const char *status, const char *text);

/* --- SMTP_GOT_BODY --- */
/* The next octets of the message, those of DATA with their dots removed. They lie in `in`: valid
 * until it changes. */
void smtp_body(const struct smtp *s, const char **data, size_t *len);
/* They cannot be stored: the message is read to its end and dropped, its reply is this (a 4yz). */
void smtp_body_failed(struct smtp *s, int code, const char *status, const char *text);
/* How many octets of the message were seen. */
uint64_t smtp_message_size(const struct smtp *s);
/* True while the client may send a message's octets, also between two chunks: the data timeout
 * counts, not the command timeout. */
bool smtp_in_body(const struct smtp *s);
/* True while a whole message waits for its verdict or its delivery: the client that half-closes now
 * still gets its reply. */
bool smtp_message_waits(const struct smtp *s);

/* --- SMTP_NEED_DELIVERY --- */
/* The message is to be thrown away, and smtp_delivered() to be told what a delivery would have
 * said, so that the client cannot see it. */
bool smtp_is_discarded(const struct smtp *s);
/* LMTP, before smtp_delivered(): the result for the recipient at this place of those that
 * smtp_describe() shows. It is the reply for this recipient; one without a result, or that a
 * service has dropped or discarded, is answered with the result of smtp_delivered(). Code and
 * status as with smtp_recipient(). */
void smtp_delivered_recipient(struct smtp *s, size_t i, int code, const char *status,
			      const char *text);
/* The delivery's result becomes the reply, unless the message verdict was an accept with code or
 * text of its own and the result is a success. Code and status as with smtp_recipient(). */
void smtp_delivered(struct smtp *s, int code, const char *status, const char *text);

/* --- SMTP_GOT_REPLY --- */
const struct smtp_reply *smtp_last_reply(const struct smtp *s);

/* --- the end --- */
/* The gateway ends the session (timeouts, shutdown, ...): the next step writes the reason's 421 and
 * is SMTP_GOT_REPLY, then SMTP_FINISHED. Where nobody could read it (DISCONNECT_CLIENT_GONE,
 * DISCONNECT_TLS, a handshake is awaited) it is SMTP_FINISHED at once. An open question is void:
 * its verdict or result must not be given any more. Nothing happens when the session has ended
 * already. */
void smtp_end(struct smtp *s, enum disconnect_reason reason);
enum disconnect_reason smtp_disconnect_reason(const struct smtp *s);
unsigned smtp_commands(const struct smtp *s);
unsigned smtp_messages(const struct smtp *s);
/* The client's own faults, all of them. */
unsigned smtp_errors(const struct smtp *s);
/* "MAIL", for events. */
const char *smtp_verb_word(enum smtp_verb verb);

#endif
