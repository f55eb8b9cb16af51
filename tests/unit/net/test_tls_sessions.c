#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certificate.h"
#include "expect.h"
#include "net/tls_context.h"
#include "net/tls_tickets.h"
#include "tls_client.h"

#define NAME	 "mx.example.com"
#define LIFE	 TLS_TICKETS_SECONDS
#define VALIDITY 86400 /* of the certificates, see certificate.c */
#define CONTEXTS ((int)(sizeof rows / sizeof rows[0]))

static struct certificate server, renewed, ca, other_ca, client;
static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
static time_t later; /* seconds that have passed for this program, OpenSSL included */

/* Instead of the C library's. */
time_t time(time_t *out)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (out)
		*out = t.tv_sec + later;
	return t.tv_sec + later;
}

static const struct row {
	enum tls_client_certificates wanted;
	const struct certificate *client_ca, *server;
} rows[] = {
	{TLS_CLIENT_CERTIFICATES_NONE, NULL, &server},
	{TLS_CLIENT_CERTIFICATES_NONE, NULL, &renewed},
	{TLS_CLIENT_CERTIFICATES_REQUEST, NULL, &server},
	{TLS_CLIENT_CERTIFICATES_REQUEST, &ca, &server},
	{TLS_CLIENT_CERTIFICATES_REQUIRE, &ca, &server},
	{TLS_CLIENT_CERTIFICATES_REQUIRE, &other_ca, &server},
	{TLS_CLIENT_CERTIFICATES_REQUIRE, &ca, &renewed},
};

static struct tls_context *make(const struct row *row, struct tls_tickets *tickets)
{
	const struct tls_certificate one = {row->server->pem, row->server->key};
	char error[256];
	struct tls_context *c = tls_context_new(
		&(struct tls_settings){
			.certificates = &one,
			.certificates_len = 1,
			.client_certificates = row->wanted,
			.client_ca = row->client_ca ? row->client_ca->pem : NULL,
			.min_version = "1.2",
			.tickets = tickets,
		},
		error, sizeof error);

	assert_non_null(c);
	return c;
}

struct visit {
	int version;
	const char *name;		    /* NULL: none is sent */
	const struct certificate *identity; /* NULL: none is shown */
	/* what came of it */
	enum tls_result result;
	bool resumed;
	bool verified;
	char sni[64];
};

/* Connects with `session` (borrowed, NULL: none) and returns the next one, NULL on failure. */
static SSL_SESSION *go(struct tls_context *context, struct visit *v, SSL_SESSION *session)
{
	struct tls_client c;
	SSL_SESSION *next = NULL;
	const char *sni;

	tls_client_init(&c, context, v->version, v->name);
	if (session) {
		SSL_SESSION *copy = SSL_SESSION_dup(session);

		SSL_SESSION_set_time(copy, (long)time(NULL)); /* else it would not even try */
		SSL_set_session(c.ssl, copy);
		SSL_SESSION_free(copy);
	}
	if (v->identity)
		tls_client_identify(&c, v->identity);
	v->result = tls_client_shake(&c);
	v->resumed = SSL_session_reused(c.ssl);
	if (v->result == TLS_OK) {
		const struct tls_peer *peer = tls_peer(c.pair.server);

		assert_int_equal(tls_is_resumed(c.pair.server), v->resumed);
		v->verified = peer && peer->verified;
		sni = tls_sni(c.pair.server);
		snprintf(v->sni, sizeof v->sni, "%s", sni ? sni : "");
		next = tls_client_session(&c);
	}
	tls_client_fini(&c);
	return next;
}

/* The same session again at `later`; whether it was taken up. */
static bool again(struct tls_context *context, struct visit *v, SSL_SESSION **session, time_t at)
{
	SSL_SESSION *next;

	later = at;
	next = go(context, v, *session);
	SSL_SESSION_free(*session);
	*session = next;
	return v->resumed;
}

/* Each context's sessions at each other: as at another listener, or after a reload. */
static void test_only_under_the_same_rules(void **state)
{
	struct tls_context *first[CONTEXTS], *second[CONTEXTS];

	(void)state;
	for (int i = 0; i < CONTEXTS; i++) {
		first[i] = make(&rows[i], certificate_tickets());
		second[i] = make(&rows[i], certificate_tickets());
	}
	for (int n = 0; n < 2 * CONTEXTS * CONTEXTS; n++) {
		int version = versions[n % 2], from = n / 2 / CONTEXTS, to = n / 2 % CONTEXTS;
		struct visit v = {.version = version, .name = NAME, .identity = &client};
		SSL_SESSION *session = go(first[from], &v, NULL), *next;

		if (rows[from].client_ca == &other_ca)
			assert_null(session);
		if (!session)
			continue;
		next = go(second[to], &v, session);
		assert_int_equal(v.resumed && v.result == TLS_OK, from == to);
		if (rows[to].client_ca != &other_ca)
			assert_int_equal(v.verified, rows[to].client_ca != NULL);
		else
			assert_int_equal(v.result, TLS_FAILED);
		SSL_SESSION_free(next);
		SSL_SESSION_free(session);
	}
	for (int i = 0; i < CONTEXTS; i++) {
		tls_context_free(&first[i]);
		tls_context_free(&second[i]);
	}
}

/* Nobody gets past a listener that requires a certificate with a session of one that does not. */
static void test_nobody_slips_in(void **state)
{
	struct tls_context *strict = make(&rows[4], certificate_tickets());

	(void)state;
	for (int n = 0; n < 8; n++) {
		struct visit v = {.version = versions[n % 2], .name = NAME};
		struct tls_context *open = make(&rows[n / 2], certificate_tickets());
		SSL_SESSION *session = go(open, &v, NULL);

		assert_non_null(session);
		assert_null(go(strict, &v, session));
		assert_int_equal(v.result, TLS_FAILED);
		SSL_SESSION_free(session);
		tls_context_free(&open);
	}
	tls_context_free(&strict);
}

/* However often it is taken up meanwhile: it ends so long after its full handshake. */
static void test_age(void **state)
{
	struct tls_context *context = make(&rows[0], certificate_tickets());

	(void)state;
	for (int n = 0; n < 4; n++) {
		bool often = n >= 2;
		struct visit v = {.version = versions[n % 2], .name = NAME};
		SSL_SESSION *session;

		later = 0;
		session = go(context, &v, NULL);
		for (time_t at = 600; often && at < LIFE; at += LIFE / 5)
			assert_true(again(context, &v, &session, at));
		assert_true(again(context, &v, &session, LIFE - 60));
		assert_false(again(context, &v, &session, LIFE + 60));
		assert_true(again(context, &v, &session, LIFE + 120)); /* the new one */
		SSL_SESSION_free(session);
	}
	later = 0;
	tls_context_free(&context);
}

static void test_name(void **state)
{
	static const char *const names[] = {NULL, NAME, "mx.example.org", "mx.example.co"};
	struct tls_context *context = make(&rows[0], certificate_tickets());

	(void)state;
	for (int n = 0; n < 2 * 4 * 4; n++) {
		const char *from = names[n / 8], *to = names[n / 2 % 4];
		struct visit v = {.version = versions[n % 2], .name = from};
		SSL_SESSION *session = go(context, &v, NULL);

		assert_non_null(session);
		v.name = to;
		assert_int_equal(again(context, &v, &session, 0), from == to);
		assert_int_equal(v.result, TLS_OK);
		assert_string_equal(v.sni, to ? to : "");
		SSL_SESSION_free(session);
	}
	tls_context_free(&context);
}

/* A certificate that has expired since it was verified is not verified any more. */
static void test_client_certificate_expires(void **state)
{
	(void)state;
	for (int n = 0; n < 4; n++) {
		const struct row *row = &rows[n < 2 ? 4 : 3];
		struct tls_context *context = make(row, certificate_tickets());
		struct visit v = {.version = versions[n % 2], .name = NAME, .identity = &client};
		SSL_SESSION *session;

		later = VALIDITY - LIFE / 2;
		session = go(context, &v, NULL);
		assert_non_null(session);
		assert_true(again(context, &v, &session, VALIDITY - 60) && v.verified);
		assert_false(again(context, &v, &session, VALIDITY + 60) && v.result == TLS_OK);
		assert_int_equal(v.result == TLS_FAILED,
				 row->wanted == TLS_CLIENT_CERTIFICATES_REQUIRE);
		assert_false(v.verified && v.result == TLS_OK);
		SSL_SESSION_free(session);
		tls_context_free(&context);
		later = 0;
	}
}

/* TLS 1.3: a new ticket each time, for clients that use none twice. */
static void test_ticket_for_the_next_time(void **state)
{
	struct tls_context *context = make(&rows[0], certificate_tickets());

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct visit v = {.version = versions[i], .name = NAME};
		SSL_SESSION *first = go(context, &v, NULL), *next = go(context, &v, first);
		const unsigned char *ticket[2];
		size_t len[2];

		assert_true(v.resumed);
		SSL_SESSION_get0_ticket(first, &ticket[0], &len[0]);
		SSL_SESSION_get0_ticket(next, &ticket[1], &len[1]);
		assert_true(len[0] > 0 && len[1] > 0);
		assert_int_equal(len[0] == len[1] && !memcmp(ticket[0], ticket[1], len[0]), i == 0);
		SSL_SESSION_free(first);
		SSL_SESSION_free(next);
	}
	tls_context_free(&context);
}

/* As of a master that is no more. */
static void test_other_keys(void **state)
{
	struct tls_tickets *keys = tls_tickets_new();
	struct tls_context *ours = make(&rows[0], certificate_tickets());
	struct tls_context *other = make(&rows[0], keys);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct visit v = {.version = versions[i], .name = NAME};
		SSL_SESSION *session = go(ours, &v, NULL);

		assert_false(again(other, &v, &session, 0));
		assert_true(again(other, &v, &session, 0));
		SSL_SESSION_free(session);
	}
	tls_context_free(&ours);
	tls_context_free(&other);
	tls_tickets_free(&keys);
}

static void test_without_keys(void **state)
{
	struct tls_context *context = make(&rows[0], NULL);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct visit v = {.version = versions[i], .name = NAME};
		SSL_SESSION *session = go(context, &v, NULL);

		assert_false(SSL_SESSION_has_ticket(session));
		assert_false(again(context, &v, &session, 0));
		assert_int_equal(v.result, TLS_OK);
		SSL_SESSION_free(session);
	}
	tls_context_free(&context);
}

static int set_up(void **state)
{
	(void)state;
	later = 0;
	certificate_make(&server, "EC", NULL);
	certificate_make(&renewed, "EC", NULL);
	certificate_make_as(&ca, &(struct certificate_wish){.subject = "CA", .authority = true});
	certificate_make_as(&other_ca,
			    &(struct certificate_wish){.subject = "Other", .authority = true});
	certificate_make_as(&client,
			    &(struct certificate_wish){.subject = "client", .issuer = &ca});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	certificate_remove(&server);
	certificate_remove(&renewed);
	certificate_remove(&ca);
	certificate_remove(&other_ca);
	certificate_remove(&client);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_under_the_same_rules),
		cmocka_unit_test(test_nobody_slips_in),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_client_certificate_expires),
		cmocka_unit_test(test_ticket_for_the_next_time),
		cmocka_unit_test(test_other_keys),
		cmocka_unit_test(test_without_keys),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
