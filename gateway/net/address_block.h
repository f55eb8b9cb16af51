/* address_block: "10.0.0.0/8", "2001:db8::/32", "192.0.2.1": the peers that a setting speaks of. */
#ifndef NET_ADDRESS_BLOCK_H
#define NET_ADDRESS_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "net/address.h"

struct address_block {
	unsigned char octets[16];
	unsigned length; /* 4 or 16 octets */
	unsigned bits;	 /* of them that count */
};

/* False on anything else, and when a bit is set beyond the prefix: "10.1.2.3/8" is more likely a
 * mistake than a network. */
bool address_block_parse(const char *text, struct address_block *block);
/* An IPv4-mapped IPv6 address counts as IPv4. A Unix socket is in no block. */
bool address_block_has(const struct address_block *block, const struct address *address);
bool address_blocks_have(const struct address_block *blocks, size_t len,
			 const struct address *address);

#endif
