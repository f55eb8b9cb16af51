/* Whom we trust, and the name that the certificate must have. */
#include <stdio.h>
#include <string.h>

#include "certificate.h"
#include "expect.h"
#include "net/tls_client_context.h"
#include "net/tls_context.h"
#include "tls_pair.h"

static struct certificate authority, other_authority;

struct row {
	const char *names; /* of the server's certificate */
	const char *name;  /* that we want */
	bool expired, stranger;
	bool good;
};

static const struct row rows[] = {
	{"DNS:mail.example.org", "mail.example.org", false, false, true},
	{"DNS:mail.example.org", "MAIL.Example.org", false, false, true},
	{"DNS:a.example.org,DNS:mail.example.org", "mail.example.org", false, false, true},
	{"DNS:*.example.org", "mail.example.org", false, false, true},
	{"DNS:*.example.org", "a.mail.example.org", false, false, false},
	{"DNS:*.example.org", "example.org", false, false, false},
	{"DNS:m*.example.org", "mail.example.org", false, false, false},
	{"DNS:mail.example.org.evil.net", "mail.example.org", false, false, false},
	{"DNS:mail.example.org", "example.org", false, false, false},
	{"DNS:mail.example.org", "mail.example.org", true, false, false},
	{"DNS:mail.example.org", "mail.example.org", false, true, false},
};

static struct tls_context *server(const struct row *row, struct certificate *certificate)
{
	struct tls_certificate files;
	struct tls_settings settings = {
		.certificates = &files, .certificates_len = 1, .min_version = "1.2"};
	char error[200] = "";
	struct tls_context *context;

	certificate_make_as(certificate,
			    &(struct certificate_wish){.names = row->names,
						       .expired = row->expired,
						       .issuer = row->stranger ? &other_authority
									       : &authority});
	files = (struct tls_certificate){certificate->pem, certificate->key};
	context = tls_context_new(&settings, error, sizeof error);
	assert_string_equal(error, "");
	return context;
}

static struct tls_client_context *client(const char *name, bool verify)
{
	struct tls_client_settings settings = {authority.pem, name, verify};
	char error[200] = "";
	struct tls_client_context *context = tls_client_context_new(&settings, error, sizeof error);

	assert_string_equal(error, "");
	assert_non_null(context);
	return context;
}

/* What the client makes of it. */
static enum tls_result shake(struct tls_pair *p)
{
	enum tls_result result = TLS_NEED_INPUT;

	for (int i = 0; i < 20 && result == TLS_NEED_INPUT; i++) {
		result = tls_handshake(p->client);
		tls_pair_carry(&p->client_out, &p->server_in, TLS_PAIR_MAX);
		tls_handshake(p->server);
		tls_pair_carry(&p->server_out, &p->client_in, TLS_PAIR_MAX);
	}
	return result;
}

static void check(const struct row *row, const char *name, bool verify, bool shakes, bool verified)
{
	struct certificate certificate;
	struct tls_context *serving = server(row, &certificate);
	struct tls_client_context *context = client(name, verify);
	struct tls_pair p;

	tls_pair_init(&p, serving, TLS_PAIR_MAX);
	tls_free(&p.client);
	p.client = tls_new_to(context, &p.client_in, &p.client_out);
	tls_client_context_free(&context); /* the connection has a share */
	if (shake(&p) != (shakes ? TLS_OK : TLS_FAILED))
		fail_msg("%s for %s", row->names, name ? name : "nobody");
	if (tls_is_verified(p.client) != verified)
		fail_msg("%s for %s", row->names, name ? name : "nobody");
	if (!shakes)
		assert_string_equal(tls_failure(p.client), "certificate verify failed");
	else if (name)
		assert_string_equal(tls_sni(p.server), name);
	tls_pair_fini(&p);
	tls_context_free(&serving);
	certificate_remove(&certificate);
}

static void test_verified(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check(&rows[i], rows[i].name, true, rows[i].good, rows[i].good);
}

static void test_not_asked_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check(&rows[i], rows[i].name, false, true, rows[i].good);
}

static void test_without_a_name_nothing_is_verified(void **state)
{
	(void)state;
	check(&rows[0], NULL, false, true, false);
}

static void test_settings(void **state)
{
	struct tls_client_settings settings = {.ca = "/nowhere/ca.pem"};
	char error[200] = "";
	struct tls_client_context *context;

	(void)state;
	assert_null(tls_client_context_new(&settings, error, sizeof error));
	assert_non_null(strstr(error, "/nowhere/ca.pem"));
	settings.ca = authority.key;
	assert_null(tls_client_context_new(&settings, error, sizeof error));
	assert_non_null(strstr(error, "holds no usable CA certificate"));
	settings.ca = NULL; /* the system's */
	context = tls_client_context_new(&settings, error, sizeof error);
	assert_non_null(context);
	tls_client_context_free(&context);
	assert_null(context);
}

static int set_up(void **state)
{
	(void)state;
	certificate_make_as(&authority,
			    &(struct certificate_wish){.subject = "CA", .authority = true});
	certificate_make_as(&other_authority,
			    &(struct certificate_wish){.subject = "CB", .authority = true});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	certificate_remove(&authority);
	certificate_remove(&other_authority);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verified),
		cmocka_unit_test(test_not_asked_for),
		cmocka_unit_test(test_without_a_name_nothing_is_verified),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
