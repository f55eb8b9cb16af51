/* utf8: what is UTF-8 (RFC 3629) and what only looks like it. */
#ifndef PROTOCOL_UTF8_H
#define PROTOCOL_UTF8_H

#include <stddef.h>

/* The octets of the character at data[0]: 1 to 4; 0 when none begins there (a stray or missing
 * continuation, an overlong form, a surrogate, beyond U+10FFFF), and when len is 0. */
size_t utf8_length(const char *data, size_t len);
/* The code point of such a character of n octets. */
unsigned utf8_code_point(const char *data, size_t n);
/* Makes '?' of every octet that is not printable ASCII: somebody else's text in a message of ours.
 */
void utf8_make_printable(char *text);

#endif
