#include "tls_context.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tls_identity.h"
#include "tls_sessions.h"

/* Each with ephemeral keys (a stolen key opens no recorded session) and AEAD (CBC with its padding
 * has been broken again and again: Lucky 13, GOLDENDOODLE). TLS 1.3 has no others. */
#define CIPHERS_TLS_1_2                                                                            \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                               \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                               \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
#define GROUPS "X25519:P-256:P-384"

struct tls_context {
	SSL_CTX *ssl;
	struct tls_identity *identities;
	size_t identities_len;
	char *first_name; /* of the first certificate; NULL: it has none */
	unsigned shares;
};

/* True when a certificate is for this name. */
static bool use_all(const struct tls_context *c, SSL *ssl, const char *name, bool wildcards)
{
	bool found = false;

	/* Backwards, so that of two with the same kind of key the first stays. */
	for (size_t i = c->identities_len; i-- > 0;) {
		if (tls_identity_is(&c->identities[i], name, wildcards))
			found |= tls_identity_use(&c->identities[i], ssl);
	}
	return found;
}

static int on_certificate(SSL *ssl, void *arg)
{
	const struct tls_context *c = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	if (name && (use_all(c, ssl, name, false) || use_all(c, ssl, name, true)))
		return 1;
	/* RFC 7672 8.1: without a name, or with one that is not ours, the client still gets a
	 * certificate. As though the first name had been asked for. */
	if (c->first_name)
		use_all(c, ssl, c->first_name, false);
	return tls_identity_use(&c->identities[0], ssl);
}

/* Taking note of the name keeps it in a resumed TLS 1.2 session. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	(void)ssl;
	(void)alert;
	(void)arg;
	return SSL_TLSEXT_ERR_OK;
}

/* ALPACA: a browser led here by somebody in the middle says that it wants "http/1.1", and gets no
 * further. Mail clients offer nothing. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		   const unsigned char *in, unsigned in_len, void *arg)
{
	static const unsigned char ours[] = {4, 's', 'm', 't', 'p'};
	unsigned char *chosen = NULL;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* The result stays with the session as a fact and ends no handshake. */
static int verify_without_consequence(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	X509_verify_cert(store);
	return 1;
}

static void set_rules(struct tls_context *c)
{
	SSL_CTX *ssl = c->ssl;

	/* Compression tells secrets by length (CRIME); renegotiation lets a client make us work. */
	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* An idle connection gives its 34 KiB of record buffers back. The chain is what the file
	 * says, never something put together from the CA of the clients. */
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_tlsext_servername_callback(ssl, on_server_name);
	SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
	SSL_CTX_set_cert_cb(ssl, on_certificate, c);
}

static bool set_versions(SSL_CTX *ssl, const char *min, char *error, size_t size)
{
	bool only_1_3 = strcmp(min, "1.3") == 0;

	if (!only_1_3 && strcmp(min, "1.2") != 0) {
		snprintf(error, size, "\"%s\" is no version of TLS: give 1.2 or 1.3", min);
		return false;
	}
	if (SSL_CTX_set_min_proto_version(ssl, only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ssl, CIPHERS_TLS_1_2) == 1 &&
	    SSL_CTX_set1_groups_list(ssl, GROUPS) == 1)
		return true;
	snprintf(error, size, "OpenSSL lacks ciphers or groups of TLS 1.2: %s",
		 ERR_reason_error_string(ERR_peek_error()));
	return false;
}

static bool load_client_ca(SSL_CTX *ssl, const char *path, char *error, size_t size)
{
	if (!tls_identity_can_read(path, "client CA", error, size))
		return false;
	if (SSL_CTX_load_verify_file(ssl, path) == 1)
		return true;
	snprintf(error, size, "%s holds no usable CA certificate: it must be PEM", path);
	return false;
}

static bool set_client_certificates(SSL_CTX *ssl, const struct tls_settings *settings, char *error,
				    size_t size)
{
	bool required = settings->client_certificates == TLS_CLIENT_CERTIFICATES_REQUIRE;

	if (settings->client_certificates == TLS_CLIENT_CERTIFICATES_NONE)
		return true;
	if (required && !settings->client_ca) {
		snprintf(error, size,
			 "client certificates are required, but without a client CA none is valid");
		return false;
	}
	if (settings->client_ca && !load_client_ca(ssl, settings->client_ca, error, size))
		return false;
	if (required) {
		SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	} else {
		SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_cert_verify_callback(ssl, verify_without_consequence, NULL);
	}
	return true;
}

static bool load_identities(struct tls_context *c, const struct tls_settings *settings, char *error,
			    size_t size)
{
	assert(settings->certificates_len);
	c->identities = mem_new(settings->certificates_len * sizeof *c->identities);
	for (size_t i = 0; i < settings->certificates_len; i++) {
		if (!tls_identity_load(&c->identities[i], &settings->certificates[i], error, size))
			return false;
		c->identities_len++;
	}
	c->first_name = tls_identity_first_name(&c->identities[0]);
	return true;
}

static bool build(struct tls_context *c, const struct tls_settings *settings, char *error,
		  size_t size)
{
	c->ssl = SSL_CTX_new(TLS_server_method());
	if (!c->ssl) {
		snprintf(error, size, "TLS does not start: %s",
			 ERR_reason_error_string(ERR_peek_error()));
		return false;
	}
	set_rules(c);
	if (!set_versions(c->ssl, settings->min_version, error, size) ||
	    !set_client_certificates(c->ssl, settings, error, size) ||
	    !load_identities(c, settings, error, size))
		return false;
	tls_sessions_serve(c->ssl, settings->tickets, c->identities, c->identities_len);
	return true;
}

struct tls_context *tls_context_new(const struct tls_settings *settings, char *error, size_t size)
{
	struct tls_context *c = mem_new(sizeof *c);

	ERR_clear_error();
	c->shares = 1;
	if (!build(c, settings, error, size))
		tls_context_free(&c);
	ERR_clear_error();
	return c;
}

struct tls_context *tls_context_share(struct tls_context *c)
{
	c->shares++;
	return c;
}

void tls_context_free(struct tls_context **context)
{
	struct tls_context *c = *context;

	*context = NULL;
	if (!c || --c->shares)
		return;
	for (size_t i = 0; i < c->identities_len; i++)
		tls_identity_fini(&c->identities[i]);
	free(c->identities);
	free(c->first_name);
	SSL_CTX_free(c->ssl);
	free(c);
}

SSL_CTX *tls_context_ssl(struct tls_context *c)
{
	return c->ssl;
}
