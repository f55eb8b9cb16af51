#include "tls_client.h"

#include <stdio.h>

#include "expect.h"

void tls_client_init(struct tls_client *c, struct tls_context *server, int version,
		     const char *name)
{
	BIO *bio;

	tls_pair_init(&c->pair, server, TLS_PAIR_MAX);
	c->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(c->context, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(c->context, version);
	SSL_CTX_set_security_level(c->context, 0);
	SSL_CTX_set_cipher_list(c->context, "ALL");
	c->network = (struct tls_bio){.in = &c->pair.client_in, .out = &c->pair.client_out};
	c->ssl = SSL_new(c->context);
	bio = tls_bio_new(&c->network);
	SSL_set_bio(c->ssl, bio, bio);
	SSL_set_connect_state(c->ssl);
	if (name) {
		char copy[256];

		snprintf(copy, sizeof copy, "%s", name);
		SSL_ctrl(c->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, copy);
	}
}

void tls_client_fini(struct tls_client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->context);
	tls_pair_fini(&c->pair);
}

void tls_client_identify(struct tls_client *c, const struct certificate *certificate)
{
	assert_int_equal(SSL_use_certificate_chain_file(c->ssl, certificate->pem), 1);
	assert_int_equal(SSL_use_PrivateKey_file(c->ssl, certificate->key, SSL_FILETYPE_PEM), 1);
}

enum tls_result tls_client_shake(struct tls_client *c)
{
	enum tls_result server = TLS_NEED_INPUT;
	char octet;

	for (int i = 0; i < 10 && server != TLS_FAILED; i++) {
		SSL_do_handshake(c->ssl);
		tls_pair_carry(&c->pair.client_out, &c->pair.server_in, TLS_PAIR_MAX);
		server = tls_handshake(c->pair.server);
		tls_pair_carry(&c->pair.server_out, &c->pair.client_in, TLS_PAIR_MAX);
	}
	SSL_read(c->ssl, &octet, 1); /* takes the alert, or the tickets of TLS 1.3 */
	return server;
}

SSL_SESSION *tls_client_session(struct tls_client *c)
{
	SSL_SESSION *session = SSL_get1_session(c->ssl);

	SSL_shutdown(c->ssl); /* else OpenSSL takes the session for a bad one */
	return session;
}
