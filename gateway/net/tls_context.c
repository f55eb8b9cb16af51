#include "tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

struct tls_context {
	SSL_CTX *ssl;
};

/* OpenSSL would ask on the terminal of the daemon. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* Taking note of the name keeps it in a resumed TLS 1.2 session; there is one certificate for all
 * names. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	(void)ssl;
	(void)alert;
	(void)arg;
	return SSL_TLSEXT_ERR_OK;
}

static void set_rules(SSL_CTX *ssl)
{
	SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	/* Compression tells secrets by length (CRIME); renegotiation lets a client make us work. */
	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* An idle connection gives its 34 KiB of record buffers back. */
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Sessions travel in tickets. Their keys belong to the context, so workers that inherit it
	 * take each other's; a cache would be one worker's own. */
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	SSL_CTX_set_tlsext_servername_callback(ssl, on_server_name);
}

static const char *reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_error());

	return text ? text : "no valid PEM";
}

static bool readable(const char *path, const char *what, char *error, size_t size)
{
	if (!access(path, R_OK))
		return true;
	snprintf(error, size, "cannot read the %s %s: %s", what, path, strerror(errno));
	return false;
}

static bool load_certificate(SSL_CTX *ssl, const char *path, char *error, size_t size)
{
	if (!readable(path, "certificate", error, size))
		return false;
	if (SSL_CTX_use_certificate_chain_file(ssl, path) == 1)
		return true;
	snprintf(error, size,
		 "%s holds no usable certificate (%s): it must be PEM, the server's certificate "
		 "first, then the intermediate ones",
		 path, reason());
	return false;
}

static bool key_mismatch(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_X509 &&
	       ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH;
}

static bool load_key(SSL_CTX *ssl, const char *path, const char *certificate, char *error,
		     size_t size)
{
	if (!readable(path, "key", error, size))
		return false;
	if (SSL_CTX_use_PrivateKey_file(ssl, path, SSL_FILETYPE_PEM) != 1 && !key_mismatch()) {
		snprintf(error, size,
			 "%s holds no usable private key (%s): it must be PEM without a passphrase",
			 path, reason());
		return false;
	}
	if (SSL_CTX_check_private_key(ssl) == 1)
		return true;
	snprintf(error, size,
		 "the key %s does not belong to the certificate %s: give the key with which the "
		 "certificate was requested",
		 path, certificate);
	return false;
}

struct tls_context *tls_context_new(const char *certificate, const char *key, char *error,
				    size_t size)
{
	struct tls_context *c = mem_new(sizeof *c);

	ERR_clear_error();
	c->ssl = SSL_CTX_new(TLS_server_method());
	if (!c->ssl) {
		snprintf(error, size, "OpenSSL does not start: %s", reason());
		tls_context_free(&c);
		return NULL;
	}
	set_rules(c->ssl);
	if (!load_certificate(c->ssl, certificate, error, size) ||
	    !load_key(c->ssl, key, certificate, error, size))
		tls_context_free(&c);
	ERR_clear_error();
	return c;
}

void tls_context_free(struct tls_context **c)
{
	if (!*c)
		return;
	SSL_CTX_free((*c)->ssl);
	free(*c);
	*c = NULL;
}

SSL_CTX *tls_context_ssl(struct tls_context *c)
{
	return c->ssl;
}
