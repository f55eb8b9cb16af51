/* address: "192.0.2.1:25", "[2001:db8::1]:25", "unix:/run/x.sock" as socket addresses, and back. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct address {
	struct sockaddr_storage storage;
	socklen_t len;
};

#define ADDRESS_IP_SIZE 46 /* INET6_ADDRSTRLEN */

/* Numbers only, no names: what a listener is bound to must not depend on a resolver. Port 0 is
 * allowed (the system chooses). False on anything else. */
bool address_parse(const char *text, struct address *address);
bool address_is_unix(const struct address *address);
/* The IP without port or brackets, "" on a Unix socket; an IPv4-mapped IPv6 address gives the IPv4
 * form. */
void address_ip(const struct address *address, char out[ADDRESS_IP_SIZE]);
unsigned address_port(const struct address *address);
/* The octets of the IP in network order, 4 or 16 of them (an IPv4-mapped IPv6 address gives 4); 0
 * on a Unix socket. Valid as long as the address. */
unsigned address_octets(const struct address *address, const unsigned char **octets);

/* What is worth keeping of one end of a connection for as long as it lives: all but the path of a
 * Unix socket. */
struct address_end {
	unsigned char data[28]; /* a struct sockaddr_in6 or a shorter one */
};

void address_end(const struct address *address, struct address_end *end);
void address_of_end(const struct address_end *end, struct address *address);

#endif
