/* edit: one change that a service asks for in a message or its envelope.
 *
 * Those of a verdict are made all or not at all. They speak of the message as the service was shown
 * it: an edit does not move the numbers of those beside it. */
#ifndef PROTOCOL_EDIT_H
#define PROTOCOL_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#define EDIT_NAME_MAX 64  /* octets of the name of a field */
#define EDIT_LINE_MAX 998 /* of a line of it, without CRLF (RFC 5322 section 2.1.1) */

enum edit_kind {
	EDIT_ADD_HEADER,     /* name, value, bottom */
	EDIT_REPLACE_HEADER, /* name, value, nth from 1; added at the end of the header when there
			      * is no such field */
	EDIT_DELETE_HEADER,  /* name, nth from 1, or 0: every one; nothing happens without one */
	EDIT_SET_SENDER,     /* value: an address, "" for the null path */
	EDIT_ADD_RECIPIENT,  /* value: an address */
	EDIT_DROP_RECIPIENT, /* nth: the place in the recipients that the service was shown, from 1
			      */
	EDIT_MAX
};

struct edit {
	enum edit_kind kind;
	bool bottom; /* behind the fields that are there, not before them */
	unsigned nth;
	char *name;  /* owned: of a header field (RFC 5322 section 2.2), without the colon */
	char *value; /* owned: what follows the colon and a space, without the CRLF at its end; it
		      * may be folded with CRLF and white space */
};

void edit_fini(struct edit *edit);
/* "add_header" */
const char *edit_word(enum edit_kind kind);
bool edit_from_word(const char *word, enum edit_kind *kind);
/* NULL when name, value and nth fit the kind by themselves (a header that cannot end its line or
 * its section early; an address without controls, NUL and angle brackets); else what is wrong, for
 * the service's author, in `problem` (printable ASCII). Whether an address is one is the gateway's
 * to see. */
const char *edit_problem(const struct edit *edit, char *problem, size_t size);

#endif
