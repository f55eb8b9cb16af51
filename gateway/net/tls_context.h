/* tls_context: certificates, client CA and rules that all TLS connections share.
 *
 *      server name --> exact name --> wildcard --> the first certificate
 *
 * Of several certificates for one name (EC and RSA) the client takes the kind it knows. */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include <stddef.h>

struct tls_context;
struct ssl_ctx_st;
struct tls_tickets;

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
	/* Borrowed; they must outlive the context's handshakes. NULL: no session is taken up. */
	struct tls_tickets *tickets;
};

/* Server side, TLS 1.2 and 1.3, AEAD with ephemeral keys only, no compression, no renegotiation,
 * session tickets. Reads the files at once (the master does it before privileges are dropped) and
 * keeps nothing of `settings` but the keys. NULL with a reason that names the file in `error`.
 *
 * Contexts with the same keys take each other's sessions when their certificates and their rules
 * for those of clients are the same, see tls_sessions.h: so do a listener before and after a
 * reload, and all processes. */
struct tls_context *tls_context_new(const struct tls_settings *settings, char *error, size_t size);
/* Gives up the caller's share and sets the pointer to NULL. Connections that still live keep the
 * context until their own end, so a reload frees the old one at once. */
void tls_context_free(struct tls_context **c);
/* For tls.c: one more share, to be given up with tls_context_free(). */
struct tls_context *tls_context_share(struct tls_context *c);
/* For tls.c: OpenSSL's SSL_CTX. */
struct ssl_ctx_st *tls_context_ssl(struct tls_context *c);

#endif
