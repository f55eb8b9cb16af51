/* tls_identity: one certificate of the server with its key and intermediate certificates. */
#ifndef NET_TLS_IDENTITY_H
#define NET_TLS_IDENTITY_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "tls_context.h"

struct tls_identity {
	X509 *certificate;
	EVP_PKEY *key;
	STACK_OF(X509) * chain; /* NULL: none */
};

/* Whether the file can be read; else `error` says that the `what` cannot, and why. */
bool tls_identity_can_read(const char *path, const char *what, char *error, size_t size);
/* False with a reason that names the file; nothing is held then. */
bool tls_identity_load(struct tls_identity *identity, const struct tls_certificate *files,
		       char *error, size_t size);
void tls_identity_fini(struct tls_identity *identity);
/* Whether the certificate is for this name: dNSName of subjectAltName, CN when there is none. A
 * wildcard stands for one label. */
bool tls_identity_is(const struct tls_identity *identity, const char *name, bool wildcards);
/* Its first name, to be freed by the caller; NULL when it has none. */
char *tls_identity_first_name(const struct tls_identity *identity);
/* Replaces what the connection had of the same kind of key. */
bool tls_identity_use(const struct tls_identity *identity, SSL *ssl);

#endif
