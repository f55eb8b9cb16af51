/* proxy_header: the PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt), as a pure
 * parser, and a writer of version 2.
 *
 * A load balancer writes one header before the client's first octet, in clear even where TLS
 * follows. It says who the client is. Anybody could write one, so it is read from listed peers
 * only, and from these it must come. */
#ifndef NET_PROXY_HEADER_H
#define NET_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/address.h"

/* Version 1 has at most 107 octets. Of version 2 the addresses and TLVs may have 65535; more than
 * this is no load balancer's header, and without a bound each connection could make us hold 64 KiB.
 */
#define PROXY_HEADER_MAX 4096
#define PROXY_TEXT_MAX	 255
#define PROXY_UNIQUE_MAX 128 /* the specification's own bound */

struct proxy_header {
	/* LOCAL (a health check) and UNKNOWN: the connection is the peer's own, the socket's
	 * addresses count. */
	bool local;
	struct address client, server; /* who connected, and to which address */
	/* TLVs; "" or 0 when absent. Texts are NUL-terminated; one with a NUL or longer than there
	 * is room is a bad header. */
	char alpn[PROXY_TEXT_MAX + 1];
	char authority[PROXY_TEXT_MAX + 1]; /* the server name the client asked for (SNI) */
	char ssl_version[32], ssl_cipher[64], ssl_common_name[PROXY_TEXT_MAX + 1];
	bool ssl;	   /* the client spoke TLS to the balancer */
	bool ssl_verified; /* and its certificate was verified */
	unsigned char unique_id[PROXY_UNIQUE_MAX];
	size_t unique_id_len;
};

enum proxy_header_result { PROXY_HEADER_MORE, PROXY_HEADER_GOOD, PROXY_HEADER_BAD };

/* Reads the header at the start of `data`. MORE: what is there may be the start of one (nothing is
 * consumed). GOOD: *used octets are the header, the rest is the client's. BAD: `reason` says why,
 * in words for the log; close. The result does not depend on how the octets were cut. */
enum proxy_header_result proxy_header_read(const char *data, size_t len,
					   struct proxy_header *header, size_t *used,
					   const char **reason);

#define PROXY_HEADER_WRITTEN_MAX 52

/* Version 2, TCP: the client and the address that it has connected to. When one is NULL or a Unix
 * socket it is LOCAL: the connection is our own. Returns the length. */
size_t proxy_header_write(char out[PROXY_HEADER_WRITTEN_MAX], const struct address *client,
			  const struct address *server);

#endif
