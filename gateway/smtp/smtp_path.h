/* smtp_path: reads a reverse-path or forward-path (RFC 5321 4.1.2).
 *
 *      <@relay.example:"a b"@example.com> SIZE=10
 *       |--- route ---||--- address ----|
 *                       |loc| |-domain--|          used: up to and with the ">"
 *
 * Strict: what is no path by the grammar is refused, since what one server repairs another reads
 * otherwise. The route is read and dropped (appendix C). Octets above 127 are let pass wherever RFC
 * 6531 has UTF-8; whether they may be there, and are UTF-8, is the caller's to judge, who knows the
 * parameters behind the path. */
#ifndef SMTP_SMTP_PATH_H
#define SMTP_SMTP_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/hook.h"

#define SMTP_PATH_LOCAL_MAX  64	 /* octets as sent, quotes included: RFC 5321 4.5.3.1.1 */
#define SMTP_PATH_DOMAIN_MAX 255 /* octets: RFC 5321 4.5.3.1.2 */

enum smtp_path_kind { SMTP_PATH_REVERSE, SMTP_PATH_FORWARD };

struct smtp_path {
	struct octets address; /* within `data`; empty, but present, for <> */
	struct octets domain;  /* within `data`; empty, but present, for <> and <postmaster> */
	char local[SMTP_PATH_LOCAL_MAX]; /* without quotes and backslashes */
	size_t local_len;
	size_t used;
	bool eight_bit; /* there are octets above 127, perhaps in the route */
};

/* Reads the path at the front of `data`. `kind` says whether <> or <postmaster> is a path. False:
 * there is none, or a part of it is too long; *path is worth nothing then. */
bool smtp_path_parse(enum smtp_path_kind kind, const char *data, size_t len,
		     struct smtp_path *path);

#endif
