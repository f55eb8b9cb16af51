#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "certificate.h"
#include "expect.h"
#include "net/tls_context.h"
#include "tls_client.h"

static struct certificate ec, rsa;
static struct tls_context *context, *only_1_3;

/* What the server answered; "" when it refused. */
static const char *cipher_of(const char *ciphers)
{
	static char found[64];
	struct tls_client c;

	tls_client_init(&c, context, TLS1_2_VERSION, NULL);
	assert_int_equal(SSL_set_cipher_list(c.ssl, ciphers), 1);
	found[0] = '\0';
	if (tls_client_shake(&c) == TLS_OK)
		snprintf(found, sizeof found, "%s", tls_cipher(c.pair.server));
	else
		assert_string_equal(tls_failure(c.pair.server), "no shared cipher");
	tls_client_fini(&c);
	return found;
}

static void test_ciphers(void **state)
{
	static const char *const refused[] = {
		"AES256-GCM-SHA384",	     /* no forward secrecy */
		"ECDHE-ECDSA-AES256-SHA384", /* CBC */
		"ECDHE-RSA-AES128-SHA",	     /* CBC */
		"DHE-RSA-AES256-GCM-SHA384", /* finite field */
		"AECDH-AES256-SHA",	     /* nobody is authenticated */
		"ECDHE-ECDSA-NULL-SHA",	     /* nothing is secret */
		"ECDHE-ECDSA-AES256-CCM8",   /* a tag of 64 bits */
	};
	static const char *const taken[] = {
		"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
		"ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
		"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
	};

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		assert_string_equal(cipher_of(refused[i]), "");
	for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
		assert_string_equal(cipher_of(taken[i]), taken[i]);
}

static void test_our_preference_counts(void **state)
{
	(void)state;
	assert_string_equal(cipher_of("AES256-SHA:ECDHE-RSA-AES128-GCM-SHA256:"
				      "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"),
			    "ECDHE-RSA-AES256-GCM-SHA384");
}

static void test_groups(void **state)
{
	static const int taken[] = {NID_X25519, NID_X9_62_prime256v1, NID_secp384r1};
	static const int refused[] = {NID_secp521r1, NID_X448, NID_ffdhe2048};

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct tls_client c;
		int group = i < 3 ? taken[i] : refused[i - 3];

		tls_client_init(&c, context, TLS1_3_VERSION, NULL);
		assert_int_equal(SSL_set1_groups(c.ssl, &group, 1), 1);
		assert_int_equal(tls_client_shake(&c), i < 3 ? TLS_OK : TLS_FAILED);
		tls_client_fini(&c);
	}
}

static void test_min_version(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct tls_client c;

		tls_client_init(&c, only_1_3, versions[i], NULL);
		assert_int_equal(tls_client_shake(&c), i ? TLS_OK : TLS_FAILED);
		tls_client_fini(&c);
	}
}

/* "http/1.1" is what a browser brings that was led to us: ALPACA. */
static void test_alpn(void **state)
{
	static const struct {
		const char *offer; /* in wire format */
		const char *chosen;
	} rows[] = {
		{NULL, NULL},		{"\4smtp", "smtp"},
		{"\2h2\4smtp", "smtp"}, {"\2h2\10http/1.1", ""},
		{"\5smtps", ""},	{"\3smt", ""},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
		const char *offer = rows[i / 2].offer, *chosen = rows[i / 2].chosen;
		struct tls_client c;
		unsigned long error;

		tls_client_init(&c, context, i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION, NULL);
		if (offer)
			SSL_set_alpn_protos(c.ssl, (const unsigned char *)offer,
					    (unsigned)strlen(offer));
		ERR_clear_error();
		if (tls_client_shake(&c) == TLS_OK) {
			if (!chosen)
				assert_null(tls_alpn(c.pair.server));
			else
				assert_string_equal(tls_alpn(c.pair.server), chosen);
		} else {
			error = ERR_peek_error();
			assert_string_equal(chosen, "");
			assert_string_equal(tls_failure(c.pair.server), "no application protocol");
			assert_int_equal(ERR_GET_REASON(error),
					 SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL);
		}
		tls_client_fini(&c);
	}
}

/* A reload frees the context while connections of its time still shake hands. */
static void test_freed_before_the_connection(void **state)
{
	const struct tls_certificate one = {ec.pem, ec.key};
	struct tls_settings settings = {
		.certificates = &one, .certificates_len = 1, .min_version = "1.2"};
	char error[256];
	struct tls_context *old = tls_context_new(&settings, error, sizeof error);
	struct tls_client c;

	(void)state;
	tls_client_init(&c, old, TLS1_3_VERSION, "mx.example.com");
	tls_context_free(&old);
	assert_null(old);
	assert_int_equal(tls_client_shake(&c), TLS_OK);
	tls_client_fini(&c);
}

/* How many certificates the server shows; the CA of the clients has also issued the server's. */
static int chain_length(const struct certificate *leaf, const struct certificate *ca, int version)
{
	const struct tls_certificate one = {leaf->pem, leaf->key};
	char error[256];
	struct tls_context *server = tls_context_new(
		&(struct tls_settings){
			.certificates = &one,
			.certificates_len = 1,
			.client_certificates = TLS_CLIENT_CERTIFICATES_REQUEST,
			.client_ca = ca->pem,
			.min_version = "1.2",
		},
		error, sizeof error);
	struct tls_client c;
	int length;

	assert_non_null(server);
	tls_client_init(&c, server, version, NULL);
	assert_int_equal(tls_client_shake(&c), TLS_OK);
	length = sk_X509_num(SSL_get_peer_cert_chain(c.ssl));
	tls_client_fini(&c);
	tls_context_free(&server);
	return length;
}

static void append_file(const char *to, const char *from)
{
	char text[8192];
	FILE *in = fopen(from, "r"), *out = fopen(to, "a");
	size_t n = fread(text, 1, sizeof text, in);

	assert_true(n > 0 && n < sizeof text);
	assert_int_equal(fwrite(text, 1, n, out), n);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

static void test_chain_is_what_the_file_says(void **state)
{
	struct certificate ca, leaf;

	(void)state;
	certificate_make_as(&ca, &(struct certificate_wish){.subject = "CA", .authority = true});
	certificate_make_as(&leaf, &(struct certificate_wish){.issuer = &ca});
	assert_int_equal(chain_length(&leaf, &ca, TLS1_2_VERSION), 1);
	assert_int_equal(chain_length(&leaf, &ca, TLS1_3_VERSION), 1);
	append_file(leaf.pem, ca.pem);
	assert_int_equal(chain_length(&leaf, &ca, TLS1_2_VERSION), 2);
	assert_int_equal(chain_length(&leaf, &ca, TLS1_3_VERSION), 2);
	certificate_remove(&ca);
	certificate_remove(&leaf);
}

static int set_up(void **state)
{
	struct tls_certificate both[2];
	struct tls_settings settings = {
		.certificates = both, .certificates_len = 2, .min_version = "1.2"};
	char error[256];

	(void)state;
	certificate_make(&ec, "EC", NULL);
	certificate_make(&rsa, "RSA", NULL);
	both[0] = (struct tls_certificate){ec.pem, ec.key};
	both[1] = (struct tls_certificate){rsa.pem, rsa.key};
	context = tls_context_new(&settings, error, sizeof error);
	settings.min_version = "1.3";
	only_1_3 = tls_context_new(&settings, error, sizeof error);
	return context && only_1_3 ? 0 : 1;
}

static int tear_down(void **state)
{
	(void)state;
	tls_context_free(&context);
	tls_context_free(&only_1_3);
	certificate_remove(&ec);
	certificate_remove(&rsa);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ciphers),
		cmocka_unit_test(test_our_preference_counts),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_min_version),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_chain_is_what_the_file_says),
		cmocka_unit_test(test_freed_before_the_connection),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
