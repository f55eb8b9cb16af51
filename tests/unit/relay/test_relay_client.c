/* The backend sees the real client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mailer.h"
#include "net/proxy_header.h"

#define FIRST	     mailer_backends[0]
#define EHLO_XCLIENT "250-x\r\n250-XCLIENT ADDR PORT HELO\r\n250 ENHANCEDSTATUSCODES"

static void deliver_from(const char *ip, unsigned port)
{
	struct mailer m;

	mailer_begin_from(&m, ip, port);
	mailer_ask(&m, "a@example.org");
	mailer_expect(&m, 250, "2.0.0", "ok");
	mailer_send(&m, "a@example.org");
	mailer_expect(&m, 250, "2.0.0", "taken");
	relay_transaction_free(&m.transaction);
}

static void xclient_for_each(void **state)
{
	(void)state;
	FIRST.ehlo = EHLO_XCLIENT;
	backend_rule(&FIRST, "XCLIENT", "220 x ESMTP", 0);
	mailer_settings.show_client = RELAY_SHOW_XCLIENT;
	mailer_settings.connections = 1;
	mailer_open(1, true);
	assert_int_equal(backend_heard(&FIRST, "XCLIENT"), 0);
	deliver_from("192.0.2.1", 4711);
	deliver_from("2001:db8::1", 4712);
	assert_int_equal(FIRST.accepted, 1);
	assert_int_equal(backend_heard(&FIRST, "XCLIENT"), 2);
	assert_non_null(memmem(buf_head(&FIRST.heard), FIRST.heard.len, "ADDR=192.0.2.1", 14));
	assert_non_null(
		memmem(buf_head(&FIRST.heard), FIRST.heard.len, "ADDR=IPV6:2001:db8::1", 21));
	assert_non_null(memmem(buf_head(&FIRST.heard), FIRST.heard.len, "PORT=4712", 9));
}

/* It would take this client for another. */
static void xclient_refused(void **state)
{
	struct mailer m;

	(void)state;
	FIRST.ehlo = EHLO_XCLIENT;
	backend_rule(&FIRST, "XCLIENT", "550 5.7.0 not from you", 0);
	mailer_settings.show_client = RELAY_SHOW_XCLIENT;
	mailer_open(1, true);
	mailer_begin(&m);
	mailer_ask(&m, "a@example.org");
	assert_int_equal(m.result.code, 451);
	relay_transaction_free(&m.transaction);
	assert_int_equal(backend_heard(&FIRST, "MAIL"), 0);
}

/* The n-th header that came; `size` octets are of those before. */
static void expect_header(size_t before, const char *ip, unsigned port)
{
	struct proxy_header header;
	const char *reason = "";
	char text[ADDRESS_IP_SIZE];
	size_t used;

	assert_int_equal(proxy_header_read(buf_head(&FIRST.header) + before,
					   FIRST.header.len - before, &header, &used, &reason),
			 PROXY_HEADER_GOOD);
	assert_int_equal(header.local, !ip);
	if (!ip)
		return;
	address_ip(&header.client, text);
	assert_string_equal(text, ip);
	assert_int_equal(address_port(&header.client), port);
	address_ip(&header.server, text);
	assert_string_equal(text, "192.0.2.25");
	assert_int_equal(address_port(&header.server), 25);
}

static void proxy(void **state)
{
	(void)state;
	mailer_settings.show_client = RELAY_SHOW_PROXY;
	mailer_settings.connections = 2;
	FIRST.proxied = 16; /* LOCAL */
	mailer_open(1, true);
	expect_header(0, NULL, 0);
	FIRST.proxied = 28; /* IPv4 */
	deliver_from("192.0.2.1", 4711);
	expect_header(16, "192.0.2.1", 4711);
	deliver_from("192.0.2.1", 4711); /* the same client: the same connection, or one more */
	assert_true(FIRST.accepted == 2 || FIRST.accepted == 3);
	/* All slots are taken by connections of others, and one of these makes room. */
	deliver_from("192.0.2.1", 4712);
	expect_header(FIRST.header.len - 28, "192.0.2.1", 4712);
	assert_int_equal(FIRST.messages, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mailer_set_up, mailer_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(xclient_for_each),
		TEST(xclient_refused),
		TEST(proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
