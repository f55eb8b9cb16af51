#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static bool parse_port(const char *text, in_port_t *port)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long value;

	if (!digits || digits > 5 || text[digits])
		return false;
	value = strtoul(text, NULL, 10);
	*port = htons((in_port_t)value);
	return value <= 65535;
}

static bool parse_unix(const char *path, struct address *address)
{
	struct sockaddr_un *name = (struct sockaddr_un *)&address->storage;
	size_t length = strlen(path);

	if (!length || length >= sizeof name->sun_path)
		return false;
	name->sun_family = AF_UNIX;
	memcpy(name->sun_path, path, length + 1);
	address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	return true;
}

static bool parse_ip4(const char *host, in_port_t port, struct address *address)
{
	struct sockaddr_in *name = (struct sockaddr_in *)&address->storage;

	name->sin_family = AF_INET;
	name->sin_port = port;
	address->len = sizeof *name;
	return inet_pton(AF_INET, host, &name->sin_addr) == 1;
}

static bool parse_ip6(const char *host, in_port_t port, struct address *address)
{
	struct sockaddr_in6 *name = (struct sockaddr_in6 *)&address->storage;

	name->sin6_family = AF_INET6;
	name->sin6_port = port;
	address->len = sizeof *name;
	return inet_pton(AF_INET6, host, &name->sin6_addr) == 1;
}

bool address_parse(const char *text, struct address *address)
{
	char host[ADDRESS_IP_SIZE + 2]; /* with the brackets */
	const char *colon = strrchr(text, ':');
	in_port_t port;
	size_t length;

	*address = (struct address){0};
	if (!strncmp(text, "unix:", 5))
		return parse_unix(text + 5, address);
	if (!colon || !parse_port(colon + 1, &port))
		return false;
	length = (size_t)(colon - text);
	if (!length || length >= sizeof host)
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	if (host[0] != '[')
		return parse_ip4(host, port, address);
	if (host[length - 1] != ']')
		return false;
	host[length - 1] = '\0';
	return parse_ip6(host + 1, port, address);
}

bool address_is_unix(const struct address *address)
{
	return address->storage.ss_family == AF_UNIX;
}

unsigned address_octets(const struct address *address, const unsigned char **octets)
{
	const struct sockaddr_in *ip4 = (const struct sockaddr_in *)&address->storage;
	const struct sockaddr_in6 *ip6 = (const struct sockaddr_in6 *)&address->storage;

	if (ip4->sin_family == AF_INET) {
		*octets = (const unsigned char *)&ip4->sin_addr;
		return 4;
	}
	*octets = ip6->sin6_addr.s6_addr;
	if (ip6->sin6_family != AF_INET6)
		return 0;
	if (!IN6_IS_ADDR_V4MAPPED(&ip6->sin6_addr))
		return 16;
	*octets += 12;
	return 4;
}

void address_ip(const struct address *address, char out[ADDRESS_IP_SIZE])
{
	const unsigned char *octets;
	unsigned n = address_octets(address, &octets);

	out[0] = '\0';
	if (n)
		inet_ntop(n == 4 ? AF_INET : AF_INET6, octets, out, ADDRESS_IP_SIZE);
}

unsigned address_port(const struct address *address)
{
	if (address->storage.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
	if (address->storage.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
	return 0;
}

void address_end(const struct address *address, struct address_end *end)
{
	_Static_assert(sizeof end->data >= sizeof(struct sockaddr_in6), "the longest there is");
	*end = (struct address_end){0};
	memcpy(end->data, &address->storage,
	       address_is_unix(address) ? sizeof address->storage.ss_family : sizeof end->data);
}

void address_of_end(const struct address_end *end, struct address *address)
{
	*address = (struct address){0};
	memcpy(&address->storage, end->data, sizeof end->data);
	address->len = address->storage.ss_family == AF_INET6  ? sizeof(struct sockaddr_in6)
		       : address->storage.ss_family == AF_INET ? sizeof(struct sockaddr_in)
							       : sizeof(sa_family_t);
}
