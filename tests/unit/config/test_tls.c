/* The file's certificates, CA and version, and each listener's client_certificates, in real
 * handshakes with the contexts made of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config_tls.h"
#include "config_file.h"
#include "net/certificate.h"
#include "net/tls_client.h"

static struct certificate first, second, ca, client;
static struct loaded loaded;
static struct tls_context *contexts[CONFIG_TLS_CONTEXTS_MAX];

static int make_certificates(void **state)
{
	(void)state;
	certificate_make_as(&first, &(struct certificate_wish){.subject = "first.example.org"});
	certificate_make_as(&second, &(struct certificate_wish){.subject = "second.example.org"});
	certificate_make_as(&ca,
			    &(struct certificate_wish){.subject = "authority", .authority = true});
	certificate_make_as(&client,
			    &(struct certificate_wish){.subject = "client", .issuer = &ca});
	return 0;
}

static int remove_certificates(void **state)
{
	(void)state;
	certificate_remove(&first);
	certificate_remove(&second);
	certificate_remove(&ca);
	certificate_remove(&client);
	return 0;
}

/* Both certificates and the CA, and what the arguments say of TLS. */
static void load(const char *listener, const char *tls)
{
	char *text;
	int len = asprintf(&text,
			   "user: root\n"
			   "listeners:\n"
			   "  - {name: plain, address: \"127.0.0.1:25\", delivery: d}\n"
			   "  - {name: a, address: \"127.0.0.1:26\", delivery: d%s}\n"
			   "tls:\n"
			   "  certificates:\n"
			   "    - {certificate: %s, key: %s}\n"
			   "    - {certificate: %s, key: %s}\n"
			   "  client_ca: %s\n%s"
			   "deliveries: [{name: d, discard: true}]\n",
			   listener, first.pem, first.key, second.pem, second.key, ca.pem, tls);
	char error[512] = "";

	config_file_load(text, (size_t)len, &loaded);
	assert_string_equal(loaded.faults, "");
	assert_true(config_tls_open(loaded.config, NULL, contexts, error, sizeof error));
	free(text);
}

static void unload(void)
{
	config_tls_close(contexts);
	for (int i = 0; i < CONFIG_TLS_CONTEXTS_MAX; i++)
		assert_null(contexts[i]);
	config_file_fini(&loaded);
}

/* Whether the handshake succeeds; `subject` is then the CN of the server's certificate. */
static bool shakes(struct tls_context *context, int version, const char *name,
		   const struct certificate *shown, char subject[64])
{
	struct tls_client c;
	bool good;

	tls_client_init(&c, context, version, name);
	if (shown)
		tls_client_identify(&c, shown);
	good = tls_client_shake(&c) == TLS_OK;
	if (good)
		X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(c.ssl)),
					  NID_commonName, subject, 64);
	tls_client_fini(&c);
	return good;
}

static void test_all_certificates(void **state)
{
	struct tls_context *context;
	char subject[64];

	(void)state;
	load(", tls: starttls", "");
	context = contexts[TLS_CLIENT_CERTIFICATES_NONE];
	assert_true(shakes(context, TLS1_3_VERSION, "second.example.org", NULL, subject));
	assert_string_equal(subject, "second.example.org");
	assert_true(shakes(context, TLS1_2_VERSION, NULL, NULL, subject));
	assert_string_equal(subject, "first.example.org");
	unload();
}

static void test_least_version(void **state)
{
	char subject[64];

	(void)state;
	load(", tls: implicit", "  min_version: 1.3\n");
	assert_false(shakes(contexts[0], TLS1_2_VERSION, NULL, NULL, subject));
	assert_true(shakes(contexts[0], TLS1_3_VERSION, NULL, NULL, subject));
	unload();
}

static void test_client_must_be_known(void **state)
{
	struct tls_context *context;
	char subject[64];

	(void)state;
	load(", tls: starttls, client_certificates: require", "");
	context = contexts[TLS_CLIENT_CERTIFICATES_REQUIRE];
	assert_false(shakes(context, TLS1_3_VERSION, NULL, NULL, subject));
	assert_false(shakes(context, TLS1_3_VERSION, NULL, &second, subject));
	assert_true(shakes(context, TLS1_3_VERSION, NULL, &client, subject));
	unload();
}

static void test_client_is_asked(void **state)
{
	struct tls_context *context;
	char subject[64];

	(void)state;
	load(", tls: starttls, client_certificates: request", "");
	context = contexts[TLS_CLIENT_CERTIFICATES_REQUEST];
	assert_true(shakes(context, TLS1_3_VERSION, NULL, NULL, subject));
	assert_true(shakes(context, TLS1_3_VERSION, NULL, &second, subject));
	unload();
}

/* Where nobody speaks TLS, or not in this way, no context is made. */
static void test_only_what_is_needed(void **state)
{
	(void)state;
	load("", "");
	for (int i = 0; i < CONFIG_TLS_CONTEXTS_MAX; i++)
		assert_null(contexts[i]);
	unload();
	load(", tls: starttls, client_certificates: require", "");
	assert_null(contexts[TLS_CLIENT_CERTIFICATES_NONE]);
	assert_null(contexts[TLS_CLIENT_CERTIFICATES_REQUEST]);
	assert_non_null(contexts[TLS_CLIENT_CERTIFICATES_REQUIRE]);
	unload();
}

/* One listener's context is good, the other's is not: none is left open. */
static void test_all_or_nothing(void **state)
{
	struct config_listener *asking;
	char error[512] = "";

	(void)state;
	load(", tls: starttls, client_certificates: request", "");
	config_tls_close(contexts);
	asking = &loaded.config->listeners[0];
	asking->tls = CONFIG_TLS_STARTTLS;
	asking->client_certificates = TLS_CLIENT_CERTIFICATES_REQUIRE;
	free(loaded.config->tls.client_ca);
	loaded.config->tls.client_ca = NULL;
	assert_false(config_tls_open(loaded.config, NULL, contexts, error, sizeof error));
	assert_string_not_equal(error, "");
	unload();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_certificates),     cmocka_unit_test(test_least_version),
		cmocka_unit_test(test_client_must_be_known), cmocka_unit_test(test_client_is_asked),
		cmocka_unit_test(test_only_what_is_needed),  cmocka_unit_test(test_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
