#include <openssl/ssl.h>
#include <string.h>

#include "certificate.h"
#include "expect.h"
#include "net/tls_bio.h"
#include "net/tls_context.h"
#include "tls_pair.h"

static struct tls_context *context;

/* A client with settings that tls_new_client() does not have. */
struct client {
	SSL_CTX *context;
	SSL *ssl;
	struct tls_bio network;
};

static void client_init(struct client *c, struct tls_pair *p, int version)
{
	BIO *bio;

	c->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(c->context, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(c->context, version);
	SSL_CTX_set_security_level(c->context, 0);
	c->network = (struct tls_bio){.in = &p->client_in, .out = &p->client_out};
	c->ssl = SSL_new(c->context);
	bio = tls_bio_new(&c->network);
	SSL_set_bio(c->ssl, bio, bio);
	SSL_set_connect_state(c->ssl);
	SSL_ctrl(c->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
		 (char[]){"old.example.com"});
}

static void client_fini(struct client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->context);
}

static enum tls_result client_shake(struct client *c, struct tls_pair *p)
{
	enum tls_result server = TLS_NEED_INPUT;

	for (int i = 0; i < 10 && server != TLS_FAILED; i++) {
		SSL_do_handshake(c->ssl);
		tls_pair_carry(&p->client_out, &p->server_in, TLS_PAIR_MAX);
		server = tls_handshake(p->server);
		tls_pair_carry(&p->server_out, &p->client_in, TLS_PAIR_MAX);
	}
	return server;
}

static void test_old_versions_are_refused(void **state)
{
	static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct tls_pair p;
		struct client c;

		tls_pair_init(&p, context, TLS_PAIR_MAX);
		client_init(&c, &p, versions[i]);
		assert_int_equal(client_shake(&c, &p), TLS_FAILED);
		assert_string_equal(tls_failure(p.server), "unsupported protocol");
		client_fini(&c);
		tls_pair_fini(&p);
	}
}

static void test_resumption_keeps_the_name(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (int i = 0; i < 2; i++) {
		SSL_SESSION *session = NULL;

		for (int resumed = 0; resumed < 2; resumed++) {
			struct tls_pair p;
			struct client c;
			char octet;

			tls_pair_init(&p, context, TLS_PAIR_MAX);
			client_init(&c, &p, versions[i]);
			if (session)
				SSL_set_session(c.ssl, session);
			SSL_SESSION_free(session);
			assert_int_equal(client_shake(&c, &p), TLS_OK);
			SSL_read(c.ssl, &octet, 1); /* takes the tickets of TLS 1.3 */
			assert_int_equal(SSL_session_reused(c.ssl), resumed);
			assert_string_equal(tls_sni(p.server), "old.example.com");
			session = SSL_get1_session(c.ssl);
			SSL_shutdown(c.ssl); /* else OpenSSL takes the session for a bad one */
			client_fini(&c);
			tls_pair_fini(&p);
		}
		SSL_SESSION_free(session);
	}
}

static void test_renegotiation_is_refused(void **state)
{
	struct tls_pair p;
	struct client c;
	enum tls_result result;

	(void)state;
	tls_pair_init(&p, context, TLS_PAIR_MAX);
	client_init(&c, &p, TLS1_2_VERSION);
	assert_int_equal(client_shake(&c, &p), TLS_OK);
	assert_int_equal(SSL_renegotiate(c.ssl), 1);
	SSL_do_handshake(c.ssl);
	assert_true(p.client_out.len > 0);
	tls_pair_carry(&p.client_out, &p.server_in, TLS_PAIR_MAX);
	result = tls_read(p.server, &p.server_plain);
	assert_int_equal(result, TLS_NEED_INPUT);
	assert_true(p.server_out.len > 0 && p.server_out.len < 64); /* an alert: no */
	client_fini(&c);
	tls_pair_fini(&p);
}

/* A client asks for new keys while the server cannot send: the answer waits, nothing is lost. */
static void test_key_update_while_output_is_full(void **state)
{
	struct tls_pair p;
	struct client c;
	struct buf plain;
	size_t got = 0;
	char piece[4096];

	(void)state;
	tls_pair_init(&p, context, TLS_PAIR_MAX);
	client_init(&c, &p, TLS1_3_VERSION);
	assert_int_equal(client_shake(&c, &p), TLS_OK);
	p.server_out.max = 1000;
	buf_init(&plain, TLS_PAIR_MAX);
	memset(buf_space(&plain, 50000, &(size_t){0}), 'x', 50000);
	buf_added(&plain, 50000);
	tls_write(p.server, &plain);
	assert_int_equal(p.server_out.len, 1000);
	assert_int_equal(SSL_key_update(c.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_int_equal(SSL_write(c.ssl, "NOOP\r\n", 6), 6);
	tls_pair_carry(&p.client_out, &p.server_in, TLS_PAIR_MAX);
	for (int i = 0; i < 1000 && (got < 50000 || p.server_plain.len < 6); i++) {
		int n;

		assert_int_equal(tls_read(p.server, &p.server_plain), TLS_NEED_INPUT);
		assert_int_equal(tls_write(p.server, &plain), TLS_OK);
		tls_pair_carry(&p.server_out, &p.client_in, TLS_PAIR_MAX);
		while ((n = SSL_read(c.ssl, piece, sizeof piece)) > 0)
			got += (size_t)n;
		assert_int_equal(SSL_get_error(c.ssl, n), SSL_ERROR_WANT_READ);
	}
	assert_int_equal(got, 50000);
	assert_int_equal(p.server_plain.len, 6);
	buf_fini(&plain);
	client_fini(&c);
	tls_pair_fini(&p);
}

static int set_up(void **state)
{
	(void)state;
	context = certificate_context();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tls_context_free(&context);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_versions_are_refused),
		cmocka_unit_test(test_resumption_keeps_the_name),
		cmocka_unit_test(test_renegotiation_is_refused),
		cmocka_unit_test(test_key_update_while_output_is_full),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
