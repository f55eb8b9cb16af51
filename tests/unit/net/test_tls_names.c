#include <string.h>

#include "certificate.h"
#include "expect.h"
#include "net/tls_context.h"
#include "tls_client.h"

/* The CN of a row with subjectAltName tells which certificate was shown and must never match. */
static const struct certificate_wish wishes[] = {
	{.subject = "first", .names = "DNS:mx.example.com,DNS:mx2.example.com"},
	{.subject = "wild", .names = "DNS:*.example.com"},
	{.subject = "first-rsa", .type = "RSA", .names = "DNS:mx.example.com"},
	{.subject = "exact", .names = "DNS:exact.example.com"},
	{.subject = "second", .names = "DNS:mx2.example.com"},
	{.subject = "cn.example.net"},
	{.subject = "part", .names = "DNS:mx*.example.org"},
	{.subject = "two-names", .names = "DNS:a.example.org,DNS:B.Example.Org"},
};

#define WISHES (sizeof wishes / sizeof wishes[0])

static struct certificate made[WISHES];
static struct tls_context *context;

static const char *shown(const char *name, int version, char *signatures)
{
	static char subject[64];
	struct tls_client c;

	tls_client_init(&c, context, version, name);
	if (signatures)
		assert_int_equal(SSL_set1_sigalgs_list(c.ssl, signatures), 1);
	assert_int_equal(tls_client_shake(&c), TLS_OK);
	X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(c.ssl)),
				  NID_commonName, subject, sizeof subject);
	tls_client_fini(&c);
	return subject;
}

static void test_names(void **state)
{
	static const struct {
		const char *name, *expected;
	} rows[] = {
		{"mx.example.com", "first"},
		{"MX.Example.COM", "first"},
		{"mx2.example.com", "first"},	/* of two with the same kind of key */
		{"exact.example.com", "exact"}, /* though the wildcard stands before it */
		{"other.example.com", "wild"},
		{"a.other.example.com", "first"}, /* a wildcard is one label */
		{"example.com", "first"},
		{"cn.example.net", "cn.example.net"}, /* no subjectAltName: the CN counts */
		{"exact", "first"},		      /* with one, it does not */
		{"mx7.example.org", "first"},	      /* no part of a label is a wildcard */
		{"a.example.org", "two-names"},
		{"b.example.org", "two-names"},
		{"unknown.example", "first"},
		{NULL, "first"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_string_equal(shown(rows[i].name, TLS1_3_VERSION, NULL), rows[i].expected);
		assert_string_equal(shown(rows[i].name, TLS1_2_VERSION, NULL), rows[i].expected);
	}
}

/* A client that knows RSA alone gets the RSA certificate of the name, also when it gave none. */
static void test_both_kinds_of_key(void **state)
{
	static char rsa_alone[] = "RSA-PSS+SHA256:RSA+SHA256", ec_alone[] = "ECDSA+SHA256";
	static const char *const names[] = {"mx.example.com", "unknown.example", NULL};

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_string_equal(shown(names[i], TLS1_3_VERSION, rsa_alone), "first-rsa");
		assert_string_equal(shown(names[i], TLS1_2_VERSION, rsa_alone), "first-rsa");
		assert_string_equal(shown(names[i], TLS1_3_VERSION, ec_alone), "first");
	}
}

/* Never the certificate of another name because the client would like its kind of key. */
static void test_no_fitting_key(void **state)
{
	struct tls_client c;

	(void)state;
	tls_client_init(&c, context, TLS1_3_VERSION, "exact.example.com");
	SSL_set1_sigalgs_list(c.ssl, "RSA-PSS+SHA256");
	assert_int_equal(tls_client_shake(&c), TLS_FAILED);
	tls_client_fini(&c);
}

static int set_up(void **state)
{
	struct tls_certificate list[WISHES];
	struct tls_settings settings = {
		.certificates = list, .certificates_len = WISHES, .min_version = "1.2"};
	char error[256];

	(void)state;
	for (size_t i = 0; i < WISHES; i++) {
		certificate_make_as(&made[i], &wishes[i]);
		list[i] = (struct tls_certificate){made[i].pem, made[i].key};
	}
	context = tls_context_new(&settings, error, sizeof error);
	return context ? 0 : 1;
}

static int tear_down(void **state)
{
	(void)state;
	tls_context_free(&context);
	for (size_t i = 0; i < WISHES; i++)
		certificate_remove(&made[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_both_kinds_of_key),
		cmocka_unit_test(test_no_fitting_key),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
