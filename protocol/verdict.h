/* verdict: what a policy service decides at a hook. A decision, never SMTP text to echo: code and
 * text are checked here, so that no service can split or forge a reply. */
#ifndef PROTOCOL_VERDICT_H
#define PROTOCOL_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "edit.h"
#include "hook.h"

/* In order of severity: a later service can raise the verdict of the chain, and never lower it.
 * From discard on they end the chain. */
enum verdict_kind {
	VERDICT_ACCEPT,
	VERDICT_BYPASS,	    /* accept, and the services after this one are not asked */
	VERDICT_QUARANTINE, /* accept, and the delivery holds the message */
	VERDICT_DISCARD, /* the client is told 250, the message (at rcpt: the recipient) is dropped
			  */
	VERDICT_TEMPFAIL,
	VERDICT_REJECT,
	VERDICT_DISCONNECT,
	VERDICT_MAX
};

/* How long an answer stands for its service, which is not asked meanwhile. */
enum verdict_until {
	VERDICT_UNTIL_COMMAND, /* it is asked at the next hook */
	VERDICT_UNTIL_TRANSACTION,
	VERDICT_UNTIL_SESSION,
};

#define VERDICT_LABEL_MAX  64	/* octets of one */
#define VERDICT_LABELS_MAX 16	/* labels of one verdict */
#define VERDICT_KEEP_MAX   4096 /* octets of one kept object, written without white space */
#define VERDICT_EDITS_MAX  100	/* of one verdict */
#define VERDICT_LINES_MAX  10
#define VERDICT_EXTEND_MAX 3600000 /* milliseconds of one progress */
#define VERDICT_LINE_MAX                                                                           \
	480 /* with code, status and CRLF below the 512 octets of RFC 5321 4.5.3.1.5 */
#define VERDICT_REASON_MAX 64
#define VERDICT_STATUS_MAX 10 /* "5.999.999" and its NUL */
#define VERDICT_REF_MAX	   128

struct verdict {
	enum verdict_kind kind;
	int code;			 /* 0: the hook's default for this kind */
	char status[VERDICT_STATUS_MAX]; /* "": the default */
	char *text;			 /* lines joined by LF, owned; NULL: the default */
	char reason[VERDICT_REASON_MAX +
		    1]; /* for events, never shown to the client; "" when none */
	/* Where the service has put the message, in its own words: what makes the acceptance of one
	 * that delivers true. "": nowhere. */
	char ref[VERDICT_REF_MAX + 1];
	enum verdict_until until;
	char *labels; /* owned: words with a space between them; NULL: none */
	/* Owned: JSON objects that come back to the same service in later requests. NULL: what was
	 * kept before stays; "": it is forgotten. */
	char *keep_session, *keep_transaction;
	struct edit *edits; /* owned, with all that is in them */
	size_t edits_len;
};

/* Frees what the verdict owns and makes it a plain accept. */
void verdict_fini(struct verdict *v);
/* "tempfail" */
const char *verdict_word(enum verdict_kind kind);
bool verdict_from_word(const char *word, enum verdict_kind *kind);
/* "transaction" */
const char *verdict_until_word(enum verdict_until until);
bool verdict_until_from_word(const char *word, enum verdict_until *until);
/* The code and status of the reply to `hook`, defaults filled in: a lone code or status gives the
 * other its class (550 alone: 5.0.0 is never said, the default status is used when its class fits,
 * else "5.7.1" or "4.7.1"). Accept, bypass, quarantine and discard give 0 and "" where nothing is
 * set: the command's own 2yz or 354 reply is used. The status is valid as long as the verdict. */
int verdict_code(const struct verdict *v, enum hook hook);
const char *verdict_status(const struct verdict *v, enum hook hook);
/* NULL when all but what is kept keeps the rules (class of the code fits the kind, status fits the
 * code, 1-10 lines of 1-480 printable ASCII octets, until and edits fit the kind, ...); else the
 * rule that is broken, in words for the service's author, in `problem` (printable ASCII). */
const char *verdict_problem(const struct verdict *v, char *problem, size_t size);
/* NULL when the hook allows the verdict, its until, keep, ref and edits, and the operator has
 * granted what they need (1u << HANDSHAKE_GRANT_x); else what is wrong, as above. */
const char *verdict_hook_problem(const struct verdict *v, enum hook hook, unsigned grants,
				 char *problem, size_t size);
/* The same as verdict_problem() for one line of text before it is joined with others: 1-480 octets
 * of printable ASCII.
 */
const char *verdict_line_problem(const char *line, size_t len, char *problem, size_t size);
/* And for one label: 1-64 characters of a-z 0-9 _ . - */
const char *verdict_label_problem(const char *label, size_t len, char *problem, size_t size);

#endif
