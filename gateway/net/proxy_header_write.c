#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static size_t put(unsigned char *at, const void *data, size_t len)
{
	memcpy(at, data, len);
	return len;
}

static size_t put_port(unsigned char *at, unsigned port)
{
	at[0] = (unsigned char)(port >> 8);
	at[1] = (unsigned char)port;
	return 2;
}

/* The octets of an address in the wider family: an IPv4 one is mapped. */
static size_t put_address(unsigned char *at, const struct address *address, unsigned size)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	const unsigned char *octets;
	unsigned len = address_octets(address, &octets);
	size_t n = 0;

	if (len < size)
		n = put(at, mapped, sizeof mapped);
	return n + put(at + n, octets, len);
}

/* 4 or 16; 0 where the two are of no use. */
static unsigned family_size(const struct address *client, const struct address *server)
{
	const unsigned char *octets;
	unsigned a = client ? address_octets(client, &octets) : 0;
	unsigned b = server ? address_octets(server, &octets) : 0;

	if (!a || !b)
		return 0;
	return a > b ? a : b;
}

size_t proxy_header_write(char out[PROXY_HEADER_WRITTEN_MAX], const struct address *client,
			  const struct address *server)
{
	unsigned char *at = (unsigned char *)out;
	unsigned size = family_size(client, server);
	size_t n = put(at, SIGNATURE, sizeof SIGNATURE - 1);

	at[n++] = size ? 0x21 : 0x20;
	at[n++] = size == 16 ? 0x21 : size == 4 ? 0x11 : 0x00;
	n += put_port(at + n, size ? 2 * size + 4 : 0);
	if (!size)
		return n;
	n += put_address(at + n, client, size);
	n += put_address(at + n, server, size);
	n += put_port(at + n, address_port(client));
	return n + put_port(at + n, address_port(server));
}
