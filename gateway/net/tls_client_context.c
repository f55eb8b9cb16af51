#include "tls_client_context.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tls_identity.h"

struct tls_client_context {
	SSL_CTX *ssl;
	char *name;
	unsigned shares;
};

static bool load_authorities(SSL_CTX *ssl, const char *path, char *error, size_t size)
{
	if (!path) {
		if (SSL_CTX_set_default_verify_paths(ssl) == 1)
			return true;
		snprintf(error, size, "the system's certificate authorities cannot be used");
		return false;
	}
	if (!tls_identity_can_read(path, "CA", error, size))
		return false;
	if (SSL_CTX_load_verify_file(ssl, path) == 1)
		return true;
	snprintf(error, size, "%s holds no usable CA certificate: it must be PEM", path);
	return false;
}

static bool build(struct tls_client_context *c, const struct tls_client_settings *settings,
		  char *error, size_t size)
{
	c->ssl = SSL_CTX_new(TLS_client_method());
	if (!c->ssl || SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION) != 1) {
		snprintf(error, size, "TLS does not start: %s",
			 ERR_reason_error_string(ERR_peek_error()));
		return false;
	}
	SSL_CTX_set_options(c->ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Without SSL_VERIFY_PEER the chain is judged all the same, without consequence. */
	SSL_CTX_set_verify(c->ssl, settings->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	return load_authorities(c->ssl, settings->ca, error, size);
}

struct tls_client_context *tls_client_context_new(const struct tls_client_settings *settings,
						  char *error, size_t size)
{
	struct tls_client_context *c = mem_new(sizeof *c);

	assert(settings->name || !settings->verify);
	ERR_clear_error();
	c->shares = 1;
	c->name = mem_copy_string(settings->name);
	if (!build(c, settings, error, size))
		tls_client_context_free(&c);
	ERR_clear_error();
	return c;
}

void tls_client_context_free(struct tls_client_context **context)
{
	struct tls_client_context *c = *context;

	*context = NULL;
	if (!c || --c->shares)
		return;
	SSL_CTX_free(c->ssl);
	free(c->name);
	free(c);
}

struct tls_client_context *tls_client_context_share(struct tls_client_context *c)
{
	c->shares++;
	return c;
}

SSL_CTX *tls_client_context_ssl(struct tls_client_context *c)
{
	return c->ssl;
}

const char *tls_client_context_name(const struct tls_client_context *c)
{
	return c->name;
}
