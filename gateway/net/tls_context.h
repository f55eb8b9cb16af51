/* tls_context: certificates, client CA, ticket keys and rules that all TLS connections share.
 *
 *      server name --> exact name --> wildcard --> the first certificate
 *
 * Of several certificates for one name (EC and RSA) the client takes the kind it knows. */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include <stddef.h>

struct tls_context;
struct ssl_ctx_st;

/* REQUEST takes whatever comes, also nothing: who the client is, is then a fact, not a condition.
 * REQUIRE fails the handshake without a certificate that verifies against client_ca. */
enum tls_client_certificates {
	TLS_CLIENT_CERTIFICATES_NONE,
	TLS_CLIENT_CERTIFICATES_REQUEST,
	TLS_CLIENT_CERTIFICATES_REQUIRE,
};

/* PEM files. The certificate's intermediate ones follow it in the same file. */
struct tls_certificate {
	const char *certificate, *key;
};

struct tls_settings {
	const struct tls_certificate *certificates; /* at least one */
	size_t certificates_len;
	enum tls_client_certificates client_certificates;
	const char *client_ca;	 /* PEM file; NULL: no client certificate verifies */
	const char *min_version; /* "1.2" or "1.3" */
};

/* Server side, TLS 1.2 and 1.3, AEAD with ephemeral keys only, no compression, no renegotiation,
 * session tickets. Reads the files at once (the master does it before privileges are dropped) and
 * keeps nothing of `settings`. NULL with a reason that names the file in `error`.
 *
 * Made before fork(), the ticket keys are shared: each process takes the tickets of the others. */
struct tls_context *tls_context_new(const struct tls_settings *settings, char *error, size_t size);
/* Gives up the caller's share and sets the pointer to NULL. Connections that still live keep the
 * context until their own end, so a reload frees the old one at once. */
void tls_context_free(struct tls_context **c);
/* A new ticket key, in all processes at once; tickets of the key before still count, older ones
 * lead to a full handshake. For the master alone, at most a few times an hour. */
void tls_context_rotate(struct tls_context *c);
/* For tls.c: one more share, to be given up with tls_context_free(). */
struct tls_context *tls_context_share(struct tls_context *c);
/* For tls.c: OpenSSL's SSL_CTX. */
struct ssl_ctx_st *tls_context_ssl(struct tls_context *c);

#endif
