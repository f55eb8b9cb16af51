#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "certificate.h"
#include "expect.h"
#include "net/tls_context.h"

static char error[512];

static void refused(const char *certificate, const char *key, const char *expected)
{
	struct tls_context *c = tls_context_new(certificate, key, error, sizeof error);

	assert_null(c);
	if (!strstr(error, expected))
		fail_msg("\"%s\" does not say \"%s\"", error, expected);
}

static void test_loads(void **state)
{
	static const char *const types[] = {"EC", "RSA"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct certificate made;
		struct tls_context *c;

		certificate_make(&made, types[i], NULL);
		c = tls_context_new(made.pem, made.key, error, sizeof error);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_names_the_file_at_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
