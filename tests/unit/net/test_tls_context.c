#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "certificate.h"
#include "expect.h"
#include "net/tls_context.h"

static char error[512];

static struct tls_context *make(const char *certificate, const char *key)
{
	return tls_context_new(
		&(struct tls_settings){
			.certificates = &(struct tls_certificate){certificate, key},
			.certificates_len = 1,
			.min_version = "1.2",
		},
		error, sizeof error);
}

static void expect_error(const char *expected)
{
	if (!strstr(error, expected))
		fail_msg("\"%s\" does not say \"%s\"", error, expected);
}

static void refused(const char *certificate, const char *key, const char *expected)
{
	assert_null(make(certificate, key));
	expect_error(expected);
}

static void test_loads(void **state)
{
	static const char *const types[] = {"EC", "RSA"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct certificate made;
		struct tls_context *c;

		certificate_make(&made, types[i], NULL);
		c = make(made.pem, made.key);
		assert_non_null(c);
		tls_context_free(&c);
		assert_null(c);
		tls_context_free(&c);
		certificate_remove(&made);
	}
}

static void test_names_the_file_at_fault(void **state)
{
	struct certificate a, b, rsa, locked;

	(void)state;
	certificate_make(&a, "EC", NULL);
	certificate_make(&b, "EC", NULL);
	certificate_make(&rsa, "RSA", NULL);
	certificate_make(&locked, "EC", "secret");
	refused("/nonexistent/pem", a.key, "/nonexistent/pem: No such file");
	refused(a.pem, "/nonexistent/key", "/nonexistent/key: No such file");
	refused(a.key, a.key, a.key);
	refused(a.key, a.key, "no usable certificate");
	refused(a.pem, a.pem, "no usable private key");
	refused(a.pem, b.key, "does not belong to the certificate");
	refused(a.pem, b.key, b.key);
	refused(a.pem, rsa.key, "does not belong to the certificate");
	/* With a terminal, OpenSSL would ask there and wait for ever. */
	refused(locked.pem, locked.key, "without a passphrase");
	certificate_remove(&a);
	certificate_remove(&b);
	certificate_remove(&rsa);
	certificate_remove(&locked);
}

static void test_second_of_several_is_at_fault(void **state)
{
	struct certificate a, b;
	struct tls_certificate both[2];
	struct tls_settings settings = {
		.certificates = both, .certificates_len = 2, .min_version = "1.2"};

	(void)state;
	certificate_make(&a, "EC", NULL);
	certificate_make(&b, "EC", NULL);
	both[0] = (struct tls_certificate){a.pem, a.key};
	both[1] = (struct tls_certificate){b.pem, a.key};
	assert_null(tls_context_new(&settings, error, sizeof error));
	expect_error(b.pem);
	expect_error("does not belong to the certificate");
	certificate_remove(&a);
	certificate_remove(&b);
}

static void test_client_ca(void **state)
{
	struct certificate made;
	struct tls_settings settings = {.certificates_len = 1, .min_version = "1.2"};
	struct tls_context *c;

	(void)state;
	certificate_make(&made, "EC", NULL);
	settings.certificates = &(struct tls_certificate){made.pem, made.key};
	settings.client_certificates = TLS_CLIENT_CERTIFICATES_REQUIRE;
	assert_null(tls_context_new(&settings, error, sizeof error));
	expect_error("without a client CA");
	settings.client_ca = "/nonexistent/ca";
	assert_null(tls_context_new(&settings, error, sizeof error));
	expect_error("/nonexistent/ca: No such file");
	settings.client_ca = made.key;
	assert_null(tls_context_new(&settings, error, sizeof error));
	expect_error(made.key);
	expect_error("no usable CA certificate");
	settings.client_ca = made.pem;
	c = tls_context_new(&settings, error, sizeof error);
	assert_non_null(c);
	tls_context_free(&c);
	certificate_remove(&made);
}

static void test_unknown_version(void **state)
{
	struct certificate made;
	struct tls_settings settings = {.certificates_len = 1, .min_version = "1.1"};

	(void)state;
	certificate_make(&made, "EC", NULL);
	settings.certificates = &(struct tls_certificate){made.pem, made.key};
	assert_null(tls_context_new(&settings, error, sizeof error));
	expect_error("\"1.1\"");
	certificate_remove(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_names_the_file_at_fault),
		cmocka_unit_test(test_second_of_several_is_at_fault),
		cmocka_unit_test(test_client_ca),
		cmocka_unit_test(test_unknown_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
