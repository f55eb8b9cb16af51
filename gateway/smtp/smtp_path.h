/* smtp_path: reads a reverse-path or forward-path (RFC 5321 4.1.2).
 *
 *      <@relay.example:"a b"@example.com> SIZE=10
 *       |--- route ---||--- address ----|
 *                       |loc| |-domain--|          used: up to and with the ">"
 *
 * Strict: what is no path by the grammar is refused, since what one server repairs another reads
 * otherwise. The route is read and dropped (appendix C). */
#ifndef SMTP_SMTP_PATH_H
#define SMTP_SMTP_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/hook.h"

#define SMTP_PATH_LOCAL_MAX  64	 /* octets as sent, quotes included: RFC 5321 4.5.3.1.1 */
#define SMTP_PATH_DOMAIN_MAX 255 /* octets: RFC 5321 4.5.3.1.2 */

enum smtp_path_kind { SMTP_PATH_REVERSE, SMTP_PATH_FORWARD };

enum smtp_path_result {
	SMTP_PATH_GOOD,
	SMTP_PATH_BAD,	     /* no path, or a part of it too long */
	SMTP_PATH_EIGHT_BIT, /* no path, with octets above 127: perhaps one of RFC 6531 */
};

struct smtp_path {
	struct octets address; /* within `data`; empty, but present, for <> */
	struct octets domain;  /* within `data`; empty, but present, for <> and <postmaster> */
	char local[SMTP_PATH_LOCAL_MAX]; /* without quotes and backslashes */
	size_t local_len;
	size_t used;
};

/* Reads the path at the front of `data`. `kind` says whether <> or <postmaster> is a path. *path is
 * only to be used after SMTP_PATH_GOOD. */
enum smtp_path_result smtp_path_parse(enum smtp_path_kind kind, const char *data, size_t len,
				      struct smtp_path *path);

#endif
