/* verdict: what a policy service decides at a hook. A decision, never SMTP text to echo: code and
 * text are checked here, so that no service can split or forge a reply. */
#ifndef PROTOCOL_VERDICT_H
#define PROTOCOL_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "hook.h"

/* In order of severity: all but accept end the chain of services. */
enum verdict_kind {
	VERDICT_ACCEPT,
	VERDICT_TEMPFAIL,
	VERDICT_REJECT,
	VERDICT_DISCONNECT,
	VERDICT_MAX
};

#define VERDICT_LINES_MAX 10
#define VERDICT_LINE_MAX                                                                           \
	480 /* with code, status and CRLF below the 512 octets of RFC 5321 4.5.3.1.5 */
#define VERDICT_REASON_MAX 64
#define VERDICT_STATUS_MAX 10 /* "5.999.999" and its NUL */

struct verdict {
	enum verdict_kind kind;
	int code;			 /* 0: the hook's default for this kind */
	char status[VERDICT_STATUS_MAX]; /* "": the default */
	char *text;			 /* lines joined by LF, owned; NULL: the default */
	char reason[VERDICT_REASON_MAX +
		    1]; /* for events, never shown to the client; "" when none */
};

/* Frees what the verdict owns and makes it a plain accept. */
void verdict_fini(struct verdict *v);
/* "tempfail" */
const char *verdict_word(enum verdict_kind kind);
bool verdict_from_word(const char *word, enum verdict_kind *kind);
/* The code and status of the reply to `hook`, defaults filled in: a lone code or status gives the
 * other its class (550 alone: 5.0.0 is never said, the default status is used when its class fits,
 * else "5.7.1" or "4.7.1"). Accept gives 0 and "" where nothing is set: the command's own 2yz or
 * 354 reply is used. The status is valid as long as the verdict. */
int verdict_code(const struct verdict *v, enum hook hook);
const char *verdict_status(const struct verdict *v, enum hook hook);
/* NULL when code, status, text and reason keep the rules (class of the code fits the kind, status
 * fits the code, 1-10 lines of 1-480 printable ASCII octets); else the rule that is broken, in
 * words for the service's author, in `problem` (printable ASCII). */
const char *verdict_problem(const struct verdict *v, char *problem, size_t size);
/* The same for one line of text before it is joined with others: 1-480 octets of printable ASCII.
 */
const char *verdict_line_problem(const char *line, size_t len, char *problem, size_t size);

#endif
