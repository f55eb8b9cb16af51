/* smtp_line: cuts what the client sent into command lines.
 *
 *      EHLO a\r\nMAIL FR      ->  "EHLO a", 8 octets used; then nothing until the next CRLF comes
 *
 * Only CRLF ends a line. A line that is too long is skipped up to its own CRLF, wherever it is cut,
 * so its tail is never read as a command. */
#ifndef SMTP_SMTP_LINE_H
#define SMTP_SMTP_LINE_H

#include <stdbool.h>
#include <stddef.h>

enum smtp_line_fault {
	SMTP_LINE_GOOD,
	SMTP_LINE_TOO_LONG,
	SMTP_LINE_BARE_NEWLINE, /* a CR or LF that is no CRLF */
	SMTP_LINE_CONTROL,	/* NUL or another control octet, HT included */
	SMTP_LINE_EIGHT_BIT,	/* no control, but octets above 127 */
};

struct smtp_line {
	char *text; /* owned; NUL-terminated behind len octets; the front of a line too long */
	size_t len; /* without the CRLF */
	enum smtp_line_fault fault;
	bool skipping; /* the line is too long and its end has not come */
};

/* Looks for a line of at most `max` octets with its CRLF at the front of the `len` octets. True:
 * the line is in *line, until smtp_line_fini(). False: more is needed. Either way the first *used
 * octets are done with and must not be shown again. */
bool smtp_line_read(struct smtp_line *line, const char *data, size_t len, size_t max, size_t *used);
/* Frees the text and makes the reader ready for the next line. */
void smtp_line_fini(struct smtp_line *line);
/* The same, for a line with a password in it: nothing of it stays in memory. */
void smtp_line_wipe(struct smtp_line *line);

#endif
