#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "certificate.h"
#include "expect.h"
#include "net/tls_context.h"
#include "tls_client.h"

static struct certificate server, ca, good, stranger, expired;
static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static struct tls_context *make(enum tls_client_certificates wanted, const char *client_ca)
{
	const struct tls_certificate one = {server.pem, server.key};
	char error[256];
	struct tls_context *c = tls_context_new(
		&(struct tls_settings){
			.certificates = &one,
			.certificates_len = 1,
			.client_certificates = wanted,
			.client_ca = client_ca,
			.min_version = "1.2",
			.tickets = certificate_tickets(),
		},
		error, sizeof error);

	assert_non_null(c);
	return c;
}

/* The fact, or NULL; copied. `failure` is set when the handshake failed. */
static const struct tls_peer *peer_of(struct tls_context *context, int version,
				      const struct certificate *shown, char failure[64])
{
	static struct tls_peer copy;
	struct tls_client c;
	const struct tls_peer *peer = NULL;

	tls_client_init(&c, context, version, NULL);
	if (shown)
		tls_client_identify(&c, shown);
	failure[0] = '\0';
	assert_null(tls_peer(c.pair.server));
	if (tls_client_shake(&c) == TLS_OK)
		peer = tls_peer(c.pair.server);
	else
		snprintf(failure, 64, "%s", tls_failure(c.pair.server));
	if (peer)
		copy = *peer;
	tls_client_fini(&c);
	return peer ? &copy : NULL;
}

static void test_not_asked(void **state)
{
	struct tls_context *context = make(TLS_CLIENT_CERTIFICATES_NONE, ca.pem);
	char failure[64];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_null(peer_of(context, versions[i], &good, failure));
		assert_string_equal(failure, "");
	}
	tls_context_free(&context);
}

static void test_request_never_fails(void **state)
{
	const struct {
		const struct certificate *shown;
		bool verified;
	} rows[] = {{NULL, false}, {&good, true}, {&stranger, false}, {&expired, false}};

	(void)state;
	for (int with_ca = 0; with_ca < 2; with_ca++) {
		struct tls_context *context =
			make(TLS_CLIENT_CERTIFICATES_REQUEST, with_ca ? ca.pem : NULL);

		for (size_t i = 0; i < 8; i++) {
			char failure[64];
			const struct tls_peer *peer =
				peer_of(context, versions[i % 2], rows[i / 2].shown, failure);

			assert_string_equal(failure, "");
			assert_int_equal(peer != NULL, rows[i / 2].shown != NULL);
			if (!peer)
				continue;
			assert_true(peer->present);
			assert_int_equal(peer->verified, with_ca && rows[i / 2].verified);
		}
		tls_context_free(&context);
	}
}

static void test_require(void **state)
{
	struct tls_context *context = make(TLS_CLIENT_CERTIFICATES_REQUIRE, ca.pem);

	(void)state;
	for (int i = 0; i < 2; i++) {
		char failure[64];
		const struct tls_peer *peer = peer_of(context, versions[i], &good, failure);

		assert_string_equal(failure, "");
		assert_true(peer && peer->verified);
		assert_null(peer_of(context, versions[i], NULL, failure));
		assert_string_equal(failure, "peer did not return a certificate");
		assert_null(peer_of(context, versions[i], &stranger, failure));
		assert_string_equal(failure, "certificate verify failed");
		assert_null(peer_of(context, versions[i], &expired, failure));
		assert_string_equal(failure, "certificate verify failed");
	}
	tls_context_free(&context);
}

static void test_fact_is_kept_by_resumption(void **state)
{
	struct tls_context *context = make(TLS_CLIENT_CERTIFICATES_REQUIRE, ca.pem);

	(void)state;
	for (int i = 0; i < 2; i++) {
		SSL_SESSION *session = NULL;

		for (int resumed = 0; resumed < 2; resumed++) {
			struct tls_client c;

			tls_client_init(&c, context, versions[i], NULL);
			if (session)
				SSL_set_session(c.ssl, session);
			else
				tls_client_identify(&c, &good);
			SSL_SESSION_free(session);
			assert_int_equal(tls_client_shake(&c), TLS_OK);
			assert_int_equal(SSL_session_reused(c.ssl), resumed);
			assert_true(tls_peer(c.pair.server)->verified);
			assert_string_equal(tls_peer(c.pair.server)->subject, "CN=client");
			session = tls_client_session(&c);
			tls_client_fini(&c);
		}
		SSL_SESSION_free(session);
	}
	tls_context_free(&context);
}

/* An unverified certificate stays unverified when its session is resumed. */
static void test_resumption_verifies_nothing(void **state)
{
	struct tls_context *context = make(TLS_CLIENT_CERTIFICATES_REQUEST, ca.pem);
	SSL_SESSION *session = NULL;

	(void)state;
	for (int resumed = 0; resumed < 2; resumed++) {
		struct tls_client c;

		tls_client_init(&c, context, TLS1_3_VERSION, NULL);
		if (session)
			SSL_set_session(c.ssl, session);
		else
			tls_client_identify(&c, &stranger);
		SSL_SESSION_free(session);
		assert_int_equal(tls_client_shake(&c), TLS_OK);
		assert_int_equal(SSL_session_reused(c.ssl), resumed);
		assert_true(tls_peer(c.pair.server)->present);
		assert_false(tls_peer(c.pair.server)->verified);
		session = tls_client_session(&c);
		tls_client_fini(&c);
	}
	SSL_SESSION_free(session);
	tls_context_free(&context);
}

static void expected_fingerprint(const char *path, char out[96])
{
	FILE *file = fopen(path, "r");
	X509 *x = PEM_read_X509(file, NULL, NULL, NULL);
	unsigned char digest[32];
	char *hex;

	fclose(file);
	assert_int_equal(X509_digest(x, EVP_sha256(), digest, NULL), 1);
	hex = OPENSSL_buf2hexstr(digest, 32);
	snprintf(out, 96, "%s", hex);
	OPENSSL_free(hex);
	X509_free(x);
}

static void test_facts(void **state)
{
	struct tls_context *context = make(TLS_CLIENT_CERTIFICATES_REQUEST, ca.pem);
	char failure[64], fingerprint[96];
	const struct tls_peer *peer = peer_of(context, TLS1_3_VERSION, &good, failure);

	(void)state;
	assert_non_null(peer);
	assert_string_equal(peer->subject, "CN=client");
	assert_string_equal(peer->issuer, "CN=Client CA");
	expected_fingerprint(good.pem, fingerprint);
	assert_int_equal(strlen(peer->fingerprint), 95);
	assert_string_equal(peer->fingerprint, fingerprint);
	tls_context_free(&context);
}

static void test_hostile_names(void **state)
{
	static const struct {
		const char *subject, *expected;
	} rows[] = {
		{"a\r\nb\t\x7f", "CN=a\\0D\\0Ab\\09\\7F"},
		{"a,CN=root+O=x;y<z>", "CN=a\\,CN=root\\+O=x\\;y\\<z\\>"},
		{"\"quoted\\\"", "CN=\\\"quoted\\\\\\\""},
		{"m\xc3\xbcller", "CN=m\\C3\\BCller"},
		{"\xe2\x80\xae", "CN=\\E2\\80\\AE"}, /* text runs backwards from here */
	};
	struct tls_context *context = make(TLS_CLIENT_CERTIFICATES_REQUEST, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct certificate c;
		char failure[64];
		const struct tls_peer *peer;

		certificate_make_as(&c, &(struct certificate_wish){.subject = rows[i].subject});
		peer = peer_of(context, versions[i % 2], &c, failure);
		assert_non_null(peer);
		assert_string_equal(peer->subject, rows[i].expected);
		assert_string_equal(peer->issuer, rows[i].expected);
		certificate_remove(&c);
	}
	tls_context_free(&context);
}

/* 64 letters of two octets each: "\C3\A9" 64 times. */
static void test_long_name_is_marked(void **state)
{
	struct tls_context *context = make(TLS_CLIENT_CERTIFICATES_REQUEST, NULL);
	char subject[129] = "", failure[64];
	struct certificate c;
	const struct tls_peer *peer;

	(void)state;
	for (size_t i = 0; i < 64; i++)
		memcpy(subject + 2 * i, "\xc3\xa9", 2);
	certificate_make_as(&c, &(struct certificate_wish){.subject = subject});
	peer = peer_of(context, TLS1_3_VERSION, &c, failure);
	assert_non_null(peer);
	assert_int_equal(strlen(peer->subject), sizeof peer->subject - 1);
	assert_memory_equal(peer->subject, "CN=\\C3\\A9", 9);
	assert_string_equal(peer->subject + sizeof peer->subject - 4, "...");
	certificate_remove(&c);
	tls_context_free(&context);
}

static int set_up(void **state)
{
	(void)state;
	certificate_make(&server, "EC", NULL);
	certificate_make_as(&ca,
			    &(struct certificate_wish){.subject = "Client CA", .authority = true});
	certificate_make_as(&good, &(struct certificate_wish){.subject = "client", .issuer = &ca});
	certificate_make_as(&stranger, &(struct certificate_wish){.subject = "client"});
	certificate_make_as(&expired, &(struct certificate_wish){
					      .subject = "client", .issuer = &ca, .expired = true});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	certificate_remove(&server);
	certificate_remove(&ca);
	certificate_remove(&good);
	certificate_remove(&stranger);
	certificate_remove(&expired);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_asked),
		cmocka_unit_test(test_request_never_fails),
		cmocka_unit_test(test_require),
		cmocka_unit_test(test_fact_is_kept_by_resumption),
		cmocka_unit_test(test_resumption_verifies_nothing),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_long_name_is_marked),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
