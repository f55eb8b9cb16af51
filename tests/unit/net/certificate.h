/* certificate: self-signed certificates in files, made by the test itself. */
#ifndef TESTS_NET_CERTIFICATE_H
#define TESTS_NET_CERTIFICATE_H

#include <limits.h>

struct tls_context;

struct certificate {
	char folder[64], pem[96], key[96];
};

/* `type` is "EC" or "RSA"; `passphrase` encrypts the key file, or NULL. */
void certificate_make(struct certificate *c, const char *type, const char *passphrase);
void certificate_remove(struct certificate *c);
/* A server context with a certificate of its own. */
struct tls_context *certificate_context(void);

#endif
