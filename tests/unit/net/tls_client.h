/* tls_client: an OpenSSL client with settings that tls_new_client() does not have, against the
 * server of a tls_pair (whose own client stays unused). */
#ifndef TESTS_NET_TLS_CLIENT_H
#define TESTS_NET_TLS_CLIENT_H

#include <openssl/ssl.h>

#include "certificate.h"
#include "net/tls_bio.h"
#include "tls_pair.h"

struct tls_client {
	struct tls_pair pair;
	SSL_CTX *context;
	SSL *ssl;
	struct tls_bio network;
};

/* Speaks up to `version` (TLS1_3_VERSION, ...), with any cipher; `name` is its SNI, or NULL. */
void tls_client_init(struct tls_client *c, struct tls_context *server, int version,
		     const char *name);
void tls_client_fini(struct tls_client *c);
/* Before the handshake. */
void tls_client_identify(struct tls_client *c, const struct certificate *certificate);
/* What the server says at the end. The client has then read all that came. */
enum tls_result tls_client_shake(struct tls_client *c);
/* The session to resume; the caller frees it. */
SSL_SESSION *tls_client_session(struct tls_client *c);

#endif
