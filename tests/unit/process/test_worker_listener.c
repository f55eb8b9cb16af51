/* The settings of a listener in the configuration, as its sessions get them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "process/worker_listener.h"

static char *domains[] = {"a.org", "b.org"};
static struct address_block proxies[1], peers[2], clients[3];
static size_t chain[] = {1, 0};

static struct config_listener listeners[] = {
	{
		.name = "mx",
		.tls = CONFIG_TLS_STARTTLS,
		.require_tls = true,
		.client_certificates = TLS_CLIENT_CERTIFICATES_REQUEST,
		.auth = true,
		.proxy_protocol = {proxies, 1},
		.xclient = {peers, 2},
		.relay_clients = {clients, 3},
		.resolve_names = true,
		.protocol = CONFIG_PROTOCOL_LMTP,
		.bare_newline = CONFIG_BARE_NEWLINE_ACCEPT,
		.accept_domains = {domains, 2},
		.policies = chain,
		.policies_len = 2,
		.delivery = 1,
		.received_client = true,
	},
	{
		.name = "submission",
		.tls = CONFIG_TLS_IMPLICIT,
		.client_certificates = TLS_CLIENT_CERTIFICATES_REQUIRE,
		.accept_any = true,
	},
	{.name = "plain"},
};

static const struct config config = {
	.hostname = "mx.example.org",
	.listeners = listeners,
	.listeners_len = 3,
	.limits = {.message_size = 1, .recipients = 2, .errors = 3, .commands = 4, .messages = 5},
};

/* Never looked into: places that differ. */
static char places[8];
#define CONTEXT(i)  ((struct tls_context *)(void *)&places[i])
#define DELIVERY(i) ((struct delivery *)(void *)&places[4 + (i)])
static struct tls_context *const contexts[] = {CONTEXT(0), CONTEXT(1), CONTEXT(2)};
static struct delivery *const deliveries[] = {DELIVERY(0), DELIVERY(1)};

static void check_smtp(const struct smtp_settings *smtp)
{
	assert_string_equal(smtp->hostname, "mx.example.org");
	assert_int_equal(smtp->message_size, 1);
	assert_int_equal(smtp->recipients, 2);
	assert_int_equal(smtp->errors, 3);
	assert_int_equal(smtp->commands, 4);
	assert_int_equal(smtp->messages, 5);
	assert_true(smtp->starttls);
	assert_false(smtp->implicit_tls);
	assert_true(smtp->require_tls);
	assert_true(smtp->auth);
	assert_true(smtp->lmtp);
	assert_true(smtp->bare_newline_accept);
	assert_false(smtp->accept_any);
	assert_int_equal(smtp->accept_domains_len, 2);
	assert_string_equal(smtp->accept_domains[1], "b.org");
}

static void test_each_setting_arrives(void **state)
{
	struct session_host host = {.resolver = (struct resolver *)(void *)places};
	struct session_listener l;

	(void)state;
	worker_listener_init(&l, &config, 0, &host, contexts, deliveries);
	check_smtp(&l.smtp);
	assert_ptr_equal(l.host, &host);
	assert_string_equal(l.name, "mx");
	assert_ptr_equal(l.tls, contexts[TLS_CLIENT_CERTIFICATES_REQUEST]);
	assert_ptr_equal(l.proxy_peers, proxies);
	assert_int_equal(l.proxy_peers_len, 1);
	assert_ptr_equal(l.xclient_peers, peers);
	assert_int_equal(l.xclient_peers_len, 2);
	assert_ptr_equal(l.relay_clients, clients);
	assert_int_equal(l.relay_clients_len, 3);
	assert_true(l.resolve_names);
	assert_true(l.received_client);
	assert_ptr_equal(l.policies, chain);
	assert_int_equal(l.policies_len, 2);
	assert_ptr_equal(l.delivery, deliveries[1]);
}

static void test_others(void **state)
{
	struct session_host host = {0};
	struct session_listener l;

	(void)state;
	worker_listener_init(&l, &config, 1, &host, contexts, deliveries);
	assert_false(l.smtp.starttls);
	assert_true(l.smtp.implicit_tls);
	assert_false(l.smtp.lmtp);
	assert_false(l.smtp.bare_newline_accept);
	assert_true(l.smtp.accept_any);
	assert_ptr_equal(l.tls, contexts[TLS_CLIENT_CERTIFICATES_REQUIRE]);
	assert_false(l.received_client);
	assert_ptr_equal(l.delivery, deliveries[0]);
	worker_listener_init(&l, &config, 2, &host, contexts, deliveries);
	assert_false(l.smtp.starttls || l.smtp.implicit_tls);
	assert_null(l.tls);
}

/* Without a resolver no name can be looked up, whatever the listener wants. */
static void test_no_resolver(void **state)
{
	struct session_host host = {0};
	struct session_listener l;

	(void)state;
	worker_listener_init(&l, &config, 0, &host, contexts, deliveries);
	assert_false(l.resolve_names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_setting_arrives),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_no_resolver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
