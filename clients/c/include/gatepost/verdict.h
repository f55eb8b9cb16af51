/* verdict: what a service decides, and what goes along with it.
 *
 *      return gatepost_reject("Sender is blocked", 550, "5.7.1");
 *
 * All pointers are borrowed until the verdict is sent: what a handler makes for one has to live
 * longer than its own variables, see gatepost_request_alloc(). Rules are checked where it is sent;
 * a verdict that breaks one is never sent. */
#ifndef GATEPOST_VERDICT_H
#define GATEPOST_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include <gatepost/error.h>

#pragma GCC visibility push(default)

/* In order of severity, but for the first and the last. A chain of services ends with the most
 * severe verdict; from discard on it ends at once. */
enum gatepost_decision {
	GATEPOST_UNDECIDED,  /* what a zeroed verdict is: never sent, never acceptance */
	GATEPOST_ACCEPT,     /* no objection: the next service is asked */
	GATEPOST_BYPASS,     /* accept, and the services after this one are not asked. Where the
				operator grants it; not at auth */
	GATEPOST_QUARANTINE, /* accept, and the delivery holds the message; before mail: all of the
				session. Not at auth */
	GATEPOST_DISCARD,    /* the client is told success, and the message is thrown away; at rcpt
				this recipient only. At mail, rcpt, data, message */
	GATEPOST_TEMPFAIL,   /* a temporary refusal */
	GATEPOST_REJECT,     /* a refusal for good */
	GATEPOST_DISCONNECT, /* a refusal that closes the connection */
	GATEPOST_LATER	     /* not decided yet: see gatepost_later() in serve.h */
};

/* How long an answer stands for its service, which is not asked meanwhile (but always at auth). Not
 * with discard and disconnect. */
enum gatepost_until {
	GATEPOST_UNTIL_COMMAND,
	GATEPOST_UNTIL_TRANSACTION, /* at mail, rcpt, data, message */
	GATEPOST_UNTIL_SESSION
};

enum gatepost_edit_kind {
	GATEPOST_ADD_HEADER,
	GATEPOST_REPLACE_HEADER,
	GATEPOST_DELETE_HEADER,
	GATEPOST_SET_SENDER,
	GATEPOST_ADD_RECIPIENT,
	GATEPOST_DROP_RECIPIENT
};

/* One change of the message or its envelope: use the functions below. Those of a verdict are made
 * all or not at all, and speak of the message as this service was shown it. */
struct gatepost_edit {
	enum gatepost_edit_kind kind;
	bool bottom; /* add_header: behind the fields that are there, not before them */
	unsigned nth;
	const char *name;
	const char *value;
};

struct gatepost_verdict {
	enum gatepost_decision decision;
	int code;	    /* of the SMTP reply; 0: the hook's default */
	const char *status; /* such as "5.7.1"; NULL: the default */
	const char *text;   /* 1 to 10 lines of 1 to 480 printable ASCII octets, LF between them;
			       NULL: the default */
	const char *reason; /* 1 to 64 of a-z 0-9 _ . - for events; NULL: none */
	enum gatepost_until until;
	const char *const *labels; /* 1 to 16, each 1 to 64 of a-z 0-9 _ . -, NULL after the last:
				      for the services after this one, and events. NULL: none */
	/* JSON objects of at most 4096 octets without white space, which come back to this service
	 * in later requests; with any verdict. NULL: what was kept stays; "": it is forgotten.
	 * keep_transaction at mail, rcpt, data, message */
	const char *keep_session, *keep_transaction;
	const struct gatepost_edit *edits; /* at message; set_sender also at mail, drop_recipient
					      at data. With accept, bypass, quarantine */
	size_t edits_len;		   /* at most 100 */
	/* At message, of a service that delivers (ready.delivers): where the message is now. It
	 * must be safe there, for the client is told 250. 1 to 128 printable ASCII octets; with
	 * accept, bypass, quarantine. NULL: none */
	const char *ref;
};

/* No objection: the next service is asked, and the command succeeds if none objects. */
struct gatepost_verdict gatepost_accept(void);
struct gatepost_verdict gatepost_bypass(void);
struct gatepost_verdict gatepost_quarantine(void);
struct gatepost_verdict gatepost_discard(void);
/* A temporary refusal. text, code (400 to 499, or 0) and status ("4.x.y") as in the struct. */
struct gatepost_verdict gatepost_tempfail(const char *text, int code, const char *status);
/* A refusal for good: code 500 to 599, or 0; status "5.x.y". */
struct gatepost_verdict gatepost_reject(const char *text, int code, const char *status);
/* A refusal that closes the connection: code 400 to 599, or 0. */
struct gatepost_verdict gatepost_disconnect(const char *text, int code, const char *status);
/* The answer to a question that could not be worked on: tempfail 451 4.3.0, a neutral text. */
struct gatepost_verdict gatepost_fault(void);
/* True when the verdict keeps every rule that does not depend on the hook and the operator's
 * grants; else `error` (code "bad_reply") says which is broken. */
bool gatepost_verdict_check(const struct gatepost_verdict *verdict, struct gatepost_error *error);

/* The field "name: value" before all others; with `bottom` in the struct set, behind them. A name
 * is that of a header field without the colon; a value may be folded (CRLF, then white space). */
struct gatepost_edit gatepost_add_header(const char *name, const char *value);
/* The nth field of this name, from 1; added at the end of the header when there is none. */
struct gatepost_edit gatepost_replace_header(const char *name, unsigned nth, const char *value);
/* The nth field of this name, from 1, or all with 0. Nothing happens when there is none. */
struct gatepost_edit gatepost_delete_header(const char *name, unsigned nth);
/* An address without angle brackets; "" is the null sender. */
struct gatepost_edit gatepost_set_sender(const char *address);
/* The gateway's rules about relaying hold for it. */
struct gatepost_edit gatepost_add_recipient(const char *address);
/* Its place as gatepost_request_recipient() has it, from 0. One must be left: else discard. */
struct gatepost_edit gatepost_drop_recipient(size_t i);

#pragma GCC visibility pop

#endif
