/* base64: RFC 4648 section 4, strictly: with padding, without white space. */
#ifndef GATEPOST_BASE64_H
#define GATEPOST_BASE64_H

#include <stdbool.h>
#include <stddef.h>

bool gatepost_base64_check(const char *text, size_t len);
/* The octets of a text that was checked, NUL-terminated, to be freed; `len` gets their number. */
char *gatepost_base64_decode(const char *text, size_t text_len, size_t *len);

#endif
