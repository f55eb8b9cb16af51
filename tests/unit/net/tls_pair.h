/* tls_pair: a TLS server and a client in memory; octets travel only when the test carries them. */
#ifndef TESTS_NET_TLS_PAIR_H
#define TESTS_NET_TLS_PAIR_H

#include <stdbool.h>

#include "base/buf.h"
#include "net/tls.h"

#define TLS_PAIR_MAX 1048576

struct tls_context;

struct tls_pair {
	struct buf server_in, server_out, client_in, client_out;
	struct buf server_plain, client_plain;
	struct tls *server, *client;
};

/* The server's network buffers hold network_max octets. */
void tls_pair_init(struct tls_pair *p, struct tls_context *context, size_t network_max);
void tls_pair_fini(struct tls_pair *p);
/* Moves at most n octets as the network would; true when any moved. */
bool tls_pair_carry(struct buf *from, struct buf *to, size_t n);
/* Shakes hands with pieces of n octets each way. */
void tls_pair_shake(struct tls_pair *p, size_t n);

#endif
