/* dialogue_text: escapes and name=value fields of a dialogue's lines. */
#ifndef DIALOGUE_TEXT_H
#define DIALOGUE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Appends the text with \r \n \t \0 \\ \" \xHH and \*N{text} (text N times, not nested) replaced.
 * False when an escape is not one of these. */
bool dialogue_text_unescape(const char *text, size_t len, struct buf *out);
/* Takes name=value or name="value" from *text and moves it behind; the value is unescaped into
 * `value`, an initialized buf. Returns the name (to be freed), or NULL when no field is there. */
char *dialogue_text_field(const char **text, struct buf *value);
/* Whether a reply line is the expected one; a '*' in `expected` stands for one or more letters and
 * digits. */
bool dialogue_text_matches(const char *expected, size_t expected_len, const char *line, size_t len);

#endif
