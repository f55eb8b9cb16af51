#include <string.h>

#include "certificate.h"
#include "expect.h"
#include "net/tls_context.h"
#include "tls_client.h"

#define NAME "old.example.com"

static void test_old_versions_are_refused(void **state)
{
	static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct tls_client c;

		tls_client_init(&c, certificate_group, versions[i], NAME);
		assert_int_equal(tls_client_shake(&c), TLS_FAILED);
		assert_string_equal(tls_failure(c.pair.server), "unsupported protocol");
		tls_client_fini(&c);
	}
}

static void test_resumption_keeps_the_name(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (int i = 0; i < 2; i++) {
		SSL_SESSION *session = NULL;

		for (int resumed = 0; resumed < 2; resumed++) {
			struct tls_client c;

			tls_client_init(&c, certificate_group, versions[i], NAME);
			if (session)
				SSL_set_session(c.ssl, session);
			SSL_SESSION_free(session);
			assert_int_equal(tls_client_shake(&c), TLS_OK);
			assert_int_equal(SSL_session_reused(c.ssl), resumed);
			assert_string_equal(tls_sni(c.pair.server), NAME);
			session = tls_client_session(&c);
			tls_client_fini(&c);
		}
		SSL_SESSION_free(session);
	}
}

static void test_renegotiation_is_refused(void **state)
{
	struct tls_client c;
	struct tls_pair *p = &c.pair;
	enum tls_result result;

	(void)state;
	tls_client_init(&c, certificate_group, TLS1_2_VERSION, NAME);
	assert_int_equal(tls_client_shake(&c), TLS_OK);
	assert_int_equal(SSL_renegotiate(c.ssl), 1);
	SSL_do_handshake(c.ssl);
	assert_true(p->client_out.len > 0);
	tls_pair_carry(&p->client_out, &p->server_in, TLS_PAIR_MAX);
	result = tls_read(p->server, &p->server_plain);
	assert_int_equal(result, TLS_NEED_INPUT);
	assert_true(p->server_out.len > 0 && p->server_out.len < 64); /* an alert: no */
	tls_client_fini(&c);
}

/* A client asks for new keys while the server cannot send: the answer waits, nothing is lost. */
static void test_key_update_while_output_is_full(void **state)
{
	struct tls_client c;
	struct tls_pair *p = &c.pair;
	struct buf plain;
	size_t got = 0;
	char piece[4096];

	(void)state;
	tls_client_init(&c, certificate_group, TLS1_3_VERSION, NAME);
	assert_int_equal(tls_client_shake(&c), TLS_OK);
	p->server_out.max = 1000;
	buf_init(&plain, TLS_PAIR_MAX);
	memset(buf_space(&plain, 50000, &(size_t){0}), 'x', 50000);
	buf_added(&plain, 50000);
	tls_write(p->server, &plain);
	assert_int_equal(p->server_out.len, 1000);
	assert_int_equal(SSL_key_update(c.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_int_equal(SSL_write(c.ssl, "NOOP\r\n", 6), 6);
	tls_pair_carry(&p->client_out, &p->server_in, TLS_PAIR_MAX);
	for (int i = 0; i < 1000 && (got < 50000 || p->server_plain.len < 6); i++) {
		int n;

		assert_int_equal(tls_read(p->server, &p->server_plain), TLS_NEED_INPUT);
		assert_int_equal(tls_write(p->server, &plain), TLS_OK);
		tls_pair_carry(&p->server_out, &p->client_in, TLS_PAIR_MAX);
		while ((n = SSL_read(c.ssl, piece, sizeof piece)) > 0)
			got += (size_t)n;
		assert_int_equal(SSL_get_error(c.ssl, n), SSL_ERROR_WANT_READ);
	}
	assert_int_equal(got, 50000);
	assert_int_equal(p->server_plain.len, 6);
	buf_fini(&plain);
	tls_client_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_versions_are_refused),
		cmocka_unit_test(test_resumption_keeps_the_name),
		cmocka_unit_test(test_renegotiation_is_refused),
		cmocka_unit_test(test_key_update_while_output_is_full),
	};

	return cmocka_run_group_tests(tests, certificate_set_up, certificate_tear_down);
}
