/* tls_peer: reads who the client is off its certificate; struct tls_peer is in tls.h. */
#ifndef NET_TLS_PEER_H
#define NET_TLS_PEER_H

#include <openssl/ssl.h>

#include "tls.h"

/* After the handshake; NULL without a certificate. Free with free(). */
struct tls_peer *tls_peer_new(SSL *ssl);

#endif
