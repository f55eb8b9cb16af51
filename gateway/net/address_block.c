#include "address_block.h"

#include <arpa/inet.h>
#include <string.h>

static bool parse_bits(const char *text, unsigned max, unsigned *bits)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 3 || text[digits] || (digits > 1 && text[0] == '0'))
		return false;
	*bits = 0;
	for (size_t i = 0; i < digits; i++)
		*bits = *bits * 10 + (unsigned)(text[i] - '0');
	return *bits <= max;
}

/* True when the octets are equal in their first `bits` bits. */
static bool same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	unsigned char mask = (unsigned char)(0xff00u >> rest);

	if (memcmp(a, b, whole) != 0)
		return false;
	return !rest || !((a[whole] ^ b[whole]) & mask);
}

/* No bit is set beyond the prefix. */
static bool is_clean(const struct address_block *block)
{
	for (unsigned i = block->bits; i < block->length * 8; i++) {
		if (block->octets[i / 8] & 0x80u >> i % 8)
			return false;
	}
	return true;
}

bool address_block_parse(const char *text, struct address_block *block)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char host[ADDRESS_IP_SIZE];

	*block = (struct address_block){0};
	if (len >= sizeof host)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, block->octets) == 1)
		block->length = 4;
	else if (inet_pton(AF_INET6, host, block->octets) == 1)
		block->length = 16;
	else
		return false;
	block->bits = block->length * 8;
	if (slash && !parse_bits(slash + 1, block->length * 8, &block->bits))
		return false;
	return is_clean(block);
}

bool address_block_has(const struct address_block *block, const struct address *address)
{
	const unsigned char *octets;

	return address_octets(address, &octets) == block->length &&
	       same_prefix(block->octets, octets, block->bits);
}

bool address_blocks_have(const struct address_block *blocks, size_t len,
			 const struct address *address)
{
	for (size_t i = 0; i < len; i++) {
		if (address_block_has(&blocks[i], address))
			return true;
	}
	return false;
}
