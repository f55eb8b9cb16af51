#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../net/certificate.h"
#include "mailer.h"

#define FIRST mailer_backends[0]
#define EHLO_TLS                                                                                   \
	"250-backend\r\n250-PIPELINING\r\n250-STARTTLS\r\n250-REQUIRETLS\r\n250-AUTH PLAIN\r\n"    \
	"250 ENHANCEDSTATUSCODES"

static struct certificate authority, right, expired, stranger;

static int make_certificates(void **state)
{
	static const char *const names = "DNS:mail.example.org";

	(void)state;
	certificate_make_as(&authority,
			    &(struct certificate_wish){.subject = "CA", .authority = true});
	certificate_make_as(&right,
			    &(struct certificate_wish){.names = names, .issuer = &authority});
	certificate_make_as(
		&expired,
		&(struct certificate_wish){.names = names, .issuer = &authority, .expired = true});
	certificate_make_as(&stranger, &(struct certificate_wish){.names = names});
	return 0;
}

static int remove_certificates(void **state)
{
	(void)state;
	certificate_remove(&authority);
	certificate_remove(&right);
	certificate_remove(&expired);
	certificate_remove(&stranger);
	return 0;
}

static void use(const struct certificate *c, enum tls_client_certificates client)
{
	struct tls_certificate files = {c->pem, c->key};
	struct tls_settings settings = {.certificates = &files,
					.certificates_len = 1,
					.client_certificates = client,
					.client_ca = client ? authority.pem : NULL,
					.min_version = "1.2"};
	char error[200] = "";

	if (FIRST.tls)
		tls_context_free(&FIRST.tls);
	FIRST.tls = tls_context_new(&settings, error, sizeof error);
	assert_string_equal(error, "");
	FIRST.ehlo = EHLO_TLS;
}

static int tear_down(void **state)
{
	if (FIRST.tls)
		tls_context_free(&FIRST.tls);
	return mailer_tear_down(state);
}

static void verify(const char *name)
{
	mailer_settings.tls = RELAY_TLS_MODE_VERIFIED;
	mailer_settings.tls_name = name;
	mailer_settings.tls_ca = authority.pem;
}

/* 451 4.4.1, and nothing was said of the message. */
static void expect_down(void)
{
	struct mailer m;

	mailer_open(1, false);
	mailer_begin(&m);
	mailer_ask(&m, "a@example.org");
	mailer_expect(&m, 451, "4.4.1", "No backend available");
	relay_transaction_free(&m.transaction);
	assert_int_equal(backend_heard(&FIRST, "MAIL"), 0);
}

static void verified_and_right(void **state)
{
	struct relay_offer offer;

	(void)state;
	use(&right, TLS_CLIENT_CERTIFICATES_NONE);
	verify("mail.example.org");
	mailer_settings.user = "relay";
	mailer_settings.password = "secret";
	mailer_open(1, true);
	mailer_deliver();
	assert_int_equal(FIRST.accepted, 1);
	assert_int_equal(backend_heard(&FIRST, "STARTTLS"), 1);
	assert_int_equal(backend_heard(&FIRST, "EHLO"), 2);
	assert_int_equal(backend_heard(&FIRST, "AUTH PLAIN AHJlbGF5AHNlY3JldA=="), 1);
	relay_offer(mailer_relay, &offer);
	assert_true(offer.requiretls);
}

static void verified_and_wrong_name(void **state)
{
	(void)state;
	use(&right, TLS_CLIENT_CERTIFICATES_NONE);
	verify("other.example.org");
	expect_down();
}

static void verified_and_expired(void **state)
{
	(void)state;
	use(&expired, TLS_CLIENT_CERTIFICATES_NONE);
	verify("mail.example.org");
	expect_down();
}

static void verified_and_signed_by_a_stranger(void **state)
{
	(void)state;
	use(&stranger, TLS_CLIENT_CERTIFICATES_NONE);
	verify("mail.example.org");
	expect_down();
}

static void verified_and_not_offered(void **state)
{
	(void)state;
	verify("mail.example.org");
	expect_down();
}

static void verified_and_refused(void **state)
{
	(void)state;
	use(&right, TLS_CLIENT_CERTIFICATES_NONE);
	backend_rule(&FIRST, "STARTTLS", "454 4.7.0 not now", 0);
	verify("mail.example.org");
	expect_down();
}

/* Put there by somebody in the middle (CVE-2011-0411). */
static void octets_behind_the_answer(void **state)
{
	(void)state;
	use(&right, TLS_CLIENT_CERTIFICATES_NONE);
	backend_rule(&FIRST, "STARTTLS", "220 2.0.0 go\r\n250-evil", 0);
	verify("mail.example.org");
	expect_down();
}

static void opportunistic_takes_any_certificate(void **state)
{
	struct relay_offer offer;

	(void)state;
	use(&stranger, TLS_CLIENT_CERTIFICATES_NONE);
	mailer_settings.tls = RELAY_TLS_MODE_OPPORTUNISTIC;
	mailer_open(1, true);
	mailer_deliver();
	assert_int_equal(backend_heard(&FIRST, "STARTTLS"), 1);
	assert_int_equal(backend_heard(&FIRST, "EHLO"), 2);
	assert_int_equal(FIRST.accepted, 1);
	relay_offer(mailer_relay, &offer);
	assert_false(offer.requiretls);
}

static void falls_back(void)
{
	mailer_settings.tls = RELAY_TLS_MODE_OPPORTUNISTIC;
	mailer_open(1, true);
	mailer_deliver();
	assert_int_equal(FIRST.accepted, 2);
	assert_int_equal(backend_heard(&FIRST, "STARTTLS"), 1);
	assert_int_equal(FIRST.messages, 1);
}

static void opportunistic_falls_back_when_there_is_no_tls(void **state)
{
	(void)state;
	FIRST.ehlo = EHLO_TLS;
	FIRST.garbage = true;
	falls_back();
}

static void opportunistic_falls_back_when_the_handshake_hangs(void **state)
{
	(void)state;
	FIRST.ehlo = EHLO_TLS; /* and no context */
	mailer_settings.timeout = 2;
	falls_back();
}

/* TLS 1.3 tells that only after the handshake. */
static void opportunistic_falls_back_when_a_certificate_is_wanted(void **state)
{
	(void)state;
	use(&right, TLS_CLIENT_CERTIFICATES_REQUIRE);
	falls_back();
}

static void opportunistic_stays_in_clear_when_nothing_is_offered(void **state)
{
	(void)state;
	mailer_settings.tls = RELAY_TLS_MODE_OPPORTUNISTIC;
	mailer_open(1, true);
	mailer_deliver();
	assert_int_equal(FIRST.accepted, 1);
	assert_int_equal(backend_heard(&FIRST, "STARTTLS"), 0);
}

static void a_login_never_goes_in_clear(void **state)
{
	(void)state;
	mailer_settings.tls = RELAY_TLS_MODE_OPPORTUNISTIC;
	mailer_settings.user = "relay";
	mailer_settings.password = "secret";
	FIRST.ehlo = "250-x\r\n250 AUTH PLAIN";
	expect_down();
	assert_int_equal(backend_heard(&FIRST, "AUTH"), 0);
}

static void large_over_tls(void **state)
{
	size_t size = 3 << 20;
	char *content = malloc(size + 1);
	struct mailer m;

	(void)state;
	memset(content, 'x', size);
	for (size_t i = 70; i < size; i += 72)
		memcpy(content + i, "\r\n", 2);
	memcpy(content + size - 2, "\r\n", 3);
	use(&right, TLS_CLIENT_CERTIFICATES_NONE);
	verify("mail.example.org");
	mailer_open(1, true);
	mailer_begin(&m);
	m.content = content;
	m.size = size;
	mailer_ask(&m, "a@example.org");
	mailer_send(&m, "a@example.org");
	mailer_expect(&m, 250, "2.0.0", "taken");
	assert_int_equal(FIRST.message.len, strlen(MAILER_PREFIX) + size);
	relay_transaction_free(&m.transaction);
	free(content);
}

static void settings_that_cannot_be(void **state)
{
	const char *address = "127.0.0.1:25";
	char error[200] = "";

	(void)state;
	mailer_settings.addresses = &address;
	mailer_settings.addresses_len = 1;
	verify(NULL);
	assert_null(relay_new(mailer_loop, &mailer_settings, error, sizeof error));
	assert_string_equal(error, "verified TLS needs the name of the certificate");
	verify("x");
	mailer_settings.tls_ca = "/nowhere/ca.pem";
	assert_null(relay_new(mailer_loop, &mailer_settings, error, sizeof error));
	assert_non_null(strstr(error, "/nowhere/ca.pem"));
	mailer_settings.tls = RELAY_TLS_MODE_NONE;
	address = "backend:25";
	assert_null(relay_new(mailer_loop, &mailer_settings, error, sizeof error));
	assert_string_equal(error, "\"backend:25\" is no address");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mailer_set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(verified_and_right),
		TEST(verified_and_wrong_name),
		TEST(verified_and_expired),
		TEST(verified_and_signed_by_a_stranger),
		TEST(verified_and_not_offered),
		TEST(verified_and_refused),
		TEST(octets_behind_the_answer),
		TEST(opportunistic_takes_any_certificate),
		TEST(opportunistic_falls_back_when_there_is_no_tls),
		TEST(opportunistic_falls_back_when_a_certificate_is_wanted),
		TEST(opportunistic_falls_back_when_the_handshake_hangs),
		TEST(opportunistic_stays_in_clear_when_nothing_is_offered),
		TEST(a_login_never_goes_in_clear),
		TEST(large_over_tls),
		TEST(settings_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
