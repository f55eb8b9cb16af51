/* header_edit: changes that services ask for, made in the header of a message.
 *
 * A header section is cut into pieces: a line and the lines behind it that begin with white space.
 * A line ends with LF; CR is an octet like any other. A piece whose first line begins with a name,
 * white space or not, and a colon is a field. What is not edited keeps every octet and its place:
 * folding, odd spacing and line ends, what is no field at all. Signatures over it still verify. */
#ifndef MESSAGE_HEADER_EDIT_H
#define MESSAGE_HEADER_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "protocol/edit.h"

/* Appends the header section (all octets up to and including the empty line, or a whole message
 * that has no empty line) to `out`, with the header edits made; other kinds are passed over. Names
 * compare without case; the numbers count the fields of the section as given, also those that stand
 * behind a line that is no field, since some reader will see them.
 *
 *   add      at the top: before the first piece; at the bottom: before the first piece that is no
 *            field, where every reader still sees it: the empty line, as a rule. Several in one
 *            place keep the order of the list, the first highest.
 *   replace  the whole field, in its place; at the bottom when there is no such field.
 *   delete   the whole field; nothing when there is no such field.
 *
 * Of several edits of one field the last one counts. New fields are "name: value" CRLF, with the
 * name and the folding as the edit has them. A last line that has no LF gets CRLF before a field
 * that comes behind it. An mbox "From " line, or lines that begin with white space, at the very
 * start stay there, before all fields: they would else become part of one that is added.
 *
 * False, and nothing of use behind what `out` held, when a name or value would not stay within its
 * field or `out` is full; what is wrong in `problem` (printable ASCII). */
bool header_edit(const char *header, size_t len, const struct edit *edits, size_t edits_len,
		 struct buf *out, char *problem, size_t size);

#endif
