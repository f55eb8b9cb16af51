/* proxy_tlv: what a version 2 PROXY header says behind its addresses, for proxy_header.c.
 *
 *      type, length of value (2), value | type, length of value (2), value | ...
 *
 * The value of the SSL TLV holds further ones of the same form. */
#ifndef NET_PROXY_TLV_H
#define NET_PROXY_TLV_H

#include "net/proxy_header.h"

/* `data` is a whole header of `len` octets, whose TLVs begin at `at`. NULL, or what is wrong, in
 * words for the log. */
const char *proxy_tlv_read(const unsigned char *data, size_t len, size_t at,
			   struct proxy_header *header);

#endif
