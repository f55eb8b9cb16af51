/* tls_context: certificate, key and rules that all TLS connections of a worker share. */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include <stddef.h>

struct tls_context;
struct ssl_ctx_st;

/* Server side, TLS 1.2 and 1.3, no compression, no renegotiation, session tickets. Reads the files
 * at once (the master does it before privileges are dropped). NULL with a reason that names the
 * file in `error`. */
struct tls_context *tls_context_new(const char *certificate, const char *key, char *error,
				    size_t size);
void tls_context_free(struct tls_context **c);
/* For tls.c: OpenSSL's SSL_CTX. */
struct ssl_ctx_st *tls_context_ssl(struct tls_context *c);

#endif
