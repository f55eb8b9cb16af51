/* The settings of a delivery in the configuration, as the delivery room gets them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "process/worker_delivery.h"

static char *smtp[] = {"192.0.2.1:25", "[2001:db8::1]:25"}, *lmtp[] = {"unix:/lmtp"};

static struct config_delivery deliveries[] = {
	{
		.name = "backend",
		.kind = CONFIG_DELIVERY_SMTP,
		.smtp = {smtp, 2},
		.order = CONFIG_ORDER_ROUND_ROBIN,
		.tls = CONFIG_DELIVERY_TLS_VERIFIED,
		.tls_name = "mail.example.org",
		.tls_ca = "/ca.pem",
		.show_client = CONFIG_SHOW_PROXY,
		.user = "relay",
		.password_file = "secret",
		.connections = 7,
		.reuse = 8,
		.recipients = 1,
		.idle = 9,
		.timeout = 10,
	},
	{
		.name = "store",
		.kind = CONFIG_DELIVERY_LMTP,
		.lmtp = {lmtp, 1},
		.tls = CONFIG_DELIVERY_TLS_OPPORTUNISTIC,
		.show_client = CONFIG_SHOW_XCLIENT,
		.recipients = 3,
	},
	{.name = "inbox", .kind = CONFIG_DELIVERY_MAILDIR, .maildir = "/m/{local}"},
	{.name = "app", .kind = CONFIG_DELIVERY_SERVICE, .service = 1},
	{.name = "none", .kind = CONFIG_DELIVERY_DISCARD, .discard = true},
};

static const struct config config = {
	.hostname = "mx.example.org", .deliveries = deliveries, .deliveries_len = 5};

static void test_smtp(void **state)
{
	struct worker_delivery d;

	(void)state;
	worker_delivery_init(&d, &config, 0);
	assert_string_equal(d.settings.name, "backend");
	assert_ptr_equal(d.settings.relay, &d.relay);
	assert_null(d.settings.maildir);
	assert_false(d.settings.service || d.settings.discard);
	assert_string_equal(d.relay.name, "backend");
	assert_false(d.relay.lmtp);
	assert_int_equal(d.relay.addresses_len, 2);
	assert_string_equal(d.relay.addresses[1], "[2001:db8::1]:25");
	assert_int_equal(d.relay.order, RELAY_ORDER_ROUND_ROBIN);
	assert_int_equal(d.relay.tls, RELAY_TLS_MODE_VERIFIED);
	assert_string_equal(d.relay.tls_name, "mail.example.org");
	assert_string_equal(d.relay.tls_ca, "/ca.pem");
	assert_int_equal(d.relay.show_client, RELAY_SHOW_PROXY);
	assert_string_equal(d.relay.user, "relay");
	assert_string_equal(d.relay.password, "secret");
	assert_int_equal(d.relay.connections, 7);
	assert_int_equal(d.relay.reuse, 8);
	assert_int_equal(d.relay.recipients, 0); /* smtp: no limit of ours */
	assert_true(d.relay.idle == 9);
	assert_true(d.relay.timeout == 10);
	assert_string_equal(d.relay.hostname, "mx.example.org");
}

static void test_lmtp(void **state)
{
	struct worker_delivery d;

	(void)state;
	worker_delivery_init(&d, &config, 1);
	assert_ptr_equal(d.settings.relay, &d.relay);
	assert_true(d.relay.lmtp);
	assert_int_equal(d.relay.addresses_len, 1);
	assert_string_equal(d.relay.addresses[0], "unix:/lmtp");
	assert_int_equal(d.relay.order, RELAY_ORDER_FIRST);
	assert_int_equal(d.relay.tls, RELAY_TLS_MODE_OPPORTUNISTIC);
	assert_null(d.relay.tls_name);
	assert_int_equal(d.relay.show_client, RELAY_SHOW_XCLIENT);
	assert_null(d.relay.user);
	assert_null(d.relay.password);
	assert_int_equal(d.relay.recipients, 3);
}

static void test_others(void **state)
{
	struct worker_delivery d;

	(void)state;
	worker_delivery_init(&d, &config, 2);
	assert_string_equal(d.settings.maildir, "/m/{local}");
	assert_string_equal(d.settings.hostname, "mx.example.org");
	assert_true(!d.settings.relay && !d.settings.service && !d.settings.discard);
	worker_delivery_init(&d, &config, 3);
	assert_true(!d.settings.relay && d.settings.service && !d.settings.discard);
	assert_null(d.settings.maildir);
	worker_delivery_init(&d, &config, 4);
	assert_true(!d.settings.relay && !d.settings.service && d.settings.discard);
	assert_null(d.settings.maildir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smtp),
		cmocka_unit_test(test_lmtp),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
