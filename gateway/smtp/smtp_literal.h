/* smtp_literal: what may stand between the brackets of an address literal (RFC 5321 4.1.3). */
#ifndef SMTP_SMTP_LITERAL_H
#define SMTP_SMTP_LITERAL_H

#include <stdbool.h>
#include <stddef.h>

/* True for an IPv4 address, or "IPv6:" and an IPv6 address. */
bool smtp_literal_is_valid(const char *data, size_t len);

#endif
