/* smtp_xtext: the encoding of free text in the values of parameters (RFC 3461 section 4).
 *
 *      a+20b  ->  "a b" */
#ifndef SMTP_SMTP_XTEXT_H
#define SMTP_SMTP_XTEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Decodes all `len` octets into `out`, which holds `size`; *out_len is how many they are. False
 * when they are no xtext or do not fit. */
bool smtp_xtext_decode(const char *data, size_t len, char *out, size_t size, size_t *out_len);
/* True for xtext of printable US-ASCII and blanks (RFC 3461 sections 4.2 and 4.4). */
bool smtp_xtext_is_printable(const char *data, size_t len);

#endif
