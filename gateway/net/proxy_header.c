#include "proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "proxy_tlv.h"

#define LINE_SIZE_MAX 107 /* version 1, with the CRLF (2.1) */
#define FIXED_SIZE    16  /* version 2, before the addresses (2.2) */
#define SIGNATURE     "\r\n\r\n\0\r\nQUIT\n"
#define PATH_SIZE     108 /* of a Unix socket, in the header and in sockaddr_un alike */
#define VERSION_ONE   "PROXY "

/* A datagram is nobody's mail session, whatever else the header says. */
static const struct family {
	unsigned char octet;
	int family;
	size_t size; /* of the two addresses and ports */
} families[] = {
	{0x00, AF_UNSPEC, 0}, {0x11, AF_INET, 12}, {0x21, AF_INET6, 36}, {0x31, AF_UNIX, 216}};

/* The port as the network has it. */
static void set_ip(struct address *address, int family, const void *octets, in_port_t port)
{
	struct sockaddr_in *ip4 = (struct sockaddr_in *)&address->storage;
	struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)&address->storage;

	if (family == AF_INET) {
		ip4->sin_family = AF_INET;
		ip4->sin_port = port;
		memcpy(&ip4->sin_addr, octets, sizeof ip4->sin_addr);
		address->len = sizeof *ip4;
	} else {
		ip6->sin6_family = AF_INET6;
		ip6->sin6_port = port;
		memcpy(&ip6->sin6_addr, octets, sizeof ip6->sin6_addr);
		address->len = sizeof *ip6;
	}
}

/* A path fills its field or ends at a NUL. A client's socket has mostly none; an abstract name
 * means something on the balancer's machine only and counts as none. */
static void set_unix(struct address *address, const unsigned char *path)
{
	struct sockaddr_un *name = (struct sockaddr_un *)&address->storage;
	size_t length = strnlen((const char *)path, PATH_SIZE);

	name->sun_family = AF_UNIX;
	memcpy(name->sun_path, path, length);
	if (length && length < PATH_SIZE)
		length++;
	address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* "Heading zeroes are not permitted in front of numbers" (2.1). */
static bool parse_port(const char *text, in_port_t *port)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long value;

	if (!digits || digits > 5 || text[digits] || (text[0] == '0' && digits > 1))
		return false;
	value = strtoul(text, NULL, 10);
	*port = htons((in_port_t)value);
	return value <= 65535;
}

static const char *parse_endpoint(int family, const char *ip, const char *port,
				  struct address *address)
{
	unsigned char octets[16];
	in_port_t number;

	/* Strict: four numbers, none with a zero in front; no zone, no prefix length. */
	if (inet_pton(family, ip, octets) != 1)
		return "not an address of the family named";
	if (!parse_port(port, &number))
		return "not a port";
	set_ip(address, family, octets, number);
	return NULL;
}

/* The line without "PROXY " and CRLF. Returns what is wrong with it, or NULL. */
static const char *parse_line(const char *data, size_t len, struct proxy_header *header)
{
	char line[LINE_SIZE_MAX + 1], *rest = line, *word[6];
	const char *fault;
	size_t n = 0;
	int family;

	memcpy(line, data, len);
	line[len] = '\0';
	/* Whatever follows UNKNOWN must be ignored (2.1). */
	if (!strncmp(line, "UNKNOWN", 7) && (len == 7 || line[7] == ' ')) {
		header->local = true;
		return NULL;
	}
	if (strlen(line) != len)
		return "a NUL in the line";
	while (n < 6 && (word[n] = strsep(&rest, " ")))
		n++;
	if (!strcmp(word[0], "TCP4"))
		family = AF_INET;
	else if (!strcmp(word[0], "TCP6"))
		family = AF_INET6;
	else
		return "neither TCP4, TCP6 nor UNKNOWN";
	if (n != 5)
		return "not two addresses and two ports";
	fault = parse_endpoint(family, word[1], word[3], &header->client);
	return fault ? fault : parse_endpoint(family, word[2], word[4], &header->server);
}

static enum proxy_header_result bad(const char *fault, const char **reason)
{
	*reason = fault;
	return PROXY_HEADER_BAD;
}

static enum proxy_header_result read_line(const char *data, size_t len, struct proxy_header *header,
					  size_t *used, const char **reason)
{
	size_t prefix = strlen(VERSION_ONE), end = prefix;
	const char *fault;

	if (len > LINE_SIZE_MAX)
		len = LINE_SIZE_MAX;
	while (end < len && data[end] != '\r' && data[end] != '\n')
		end++;
	/* Two programs that disagree on where a line ends can be made to disagree on who speaks. */
	if (end < len && data[end] == '\n')
		return bad("a line end other than CRLF", reason);
	if (end + 1 >= len && len < LINE_SIZE_MAX)
		return PROXY_HEADER_MORE;
	if (end + 1 >= len)
		return bad("no CRLF in the first 107 octets", reason);
	if (data[end + 1] != '\n')
		return bad("a line end other than CRLF", reason);
	fault = parse_line(data + prefix, end - prefix, header);
	if (fault)
		return bad(fault, reason);
	*used = end + 2;
	return PROXY_HEADER_GOOD;
}

static void read_addresses(const struct family *family, const unsigned char *at,
			   struct proxy_header *header)
{
	size_t size = family->family == AF_INET ? 4 : 16;
	in_port_t ports[2];

	if (family->family == AF_UNIX) {
		set_unix(&header->client, at);
		set_unix(&header->server, at + PATH_SIZE);
		return;
	}
	memcpy(ports, at + 2 * size, sizeof ports);
	set_ip(&header->client, family->family, at, ports[0]);
	set_ip(&header->server, family->family, at + size, ports[1]);
}

static const struct family *find_family(unsigned char octet)
{
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		if (families[i].octet == octet)
			return &families[i];
	}
	return NULL;
}

static enum proxy_header_result read_binary(const unsigned char *data, size_t len,
					    struct proxy_header *header, size_t *used,
					    const char **reason)
{
	const struct family *family = NULL;
	const char *fault = NULL;
	size_t length;

	if (len > 12 && data[12] != 0x20 && data[12] != 0x21)
		return bad("not version 2 with LOCAL or PROXY", reason);
	/* LOCAL: the family is ignored too (2.2). */
	if (len > 13 && data[12] == 0x21 && !(family = find_family(data[13])))
		return bad("neither TCP nor a Unix stream", reason);
	if (len < FIXED_SIZE)
		return PROXY_HEADER_MORE;
	length = FIXED_SIZE + ((size_t)data[14] << 8 | data[15]);
	if (length > PROXY_HEADER_MAX)
		return bad("the header is too long", reason);
	if (family && length < FIXED_SIZE + family->size)
		return bad("no room for the addresses", reason);
	if (len < length)
		return PROXY_HEADER_MORE;
	/* Without a family nobody can tell where addresses end and TLVs begin: all is skipped. */
	header->local = !family || family->family == AF_UNSPEC;
	if (!header->local) {
		read_addresses(family, data + FIXED_SIZE, header);
		fault = proxy_tlv_read(data, length, FIXED_SIZE + family->size, header);
	}
	if (fault)
		return bad(fault, reason);
	*used = length;
	return PROXY_HEADER_GOOD;
}

static bool may_begin(const char *data, size_t len, const char *start, size_t size)
{
	return !memcmp(data, start, len < size ? len : size);
}

enum proxy_header_result proxy_header_read(const char *data, size_t len,
					   struct proxy_header *header, size_t *used,
					   const char **reason)
{
	memset(header, 0, sizeof *header);
	*used = 0;
	if (!len)
		return PROXY_HEADER_MORE;
	if (may_begin(data, len, SIGNATURE, sizeof SIGNATURE - 1))
		return read_binary((const unsigned char *)data, len, header, used, reason);
	/* At once, at the first wrong octet: a client that says EHLO here shall not wait for us. */
	if (!may_begin(data, len, VERSION_ONE, strlen(VERSION_ONE)))
		return bad("not a PROXY header", reason);
	return read_line(data, len, header, used, reason);
}
