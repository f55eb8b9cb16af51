/* tls_client_context: the rules for connections that we make: whom to trust, and the name that the
 * server's certificate must have.
 *
 *      verify      a handshake with the wrong certificate fails (RFC 7817)
 *      else        it does not, and tls_is_verified() tells what the certificate is worth */
#ifndef NET_TLS_CLIENT_CONTEXT_H
#define NET_TLS_CLIENT_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

struct tls_client_context;
struct ssl_ctx_st;

struct tls_client_settings {
	const char *ca;	  /* PEM file; NULL: the system's authorities */
	const char *name; /* told to the server (SNI), and asked of its certificate; NULL: no
			     certificate is the right one */
	bool verify;	  /* not without a name */
};

/* TLS 1.2 and 1.3. Reads the file at once and keeps nothing of `settings`. NULL with a reason that
 * names the file in `error`. */
struct tls_client_context *tls_client_context_new(const struct tls_client_settings *settings,
						  char *error, size_t size);
/* Gives up the caller's share and sets the pointer to NULL; connections that live keep theirs. */
void tls_client_context_free(struct tls_client_context **c);
/* For tls.c. */
struct tls_client_context *tls_client_context_share(struct tls_client_context *c);
struct ssl_ctx_st *tls_client_context_ssl(struct tls_client_context *c);
const char *tls_client_context_name(const struct tls_client_context *c);

#endif
