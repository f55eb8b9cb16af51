#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "session/received.h"

#define DATE "Tue, 24 Nov 2026 11:03:15 +0000"

static struct octets octets(const char *text)
{
	return (struct octets){text, strlen(text)};
}

static void expect(const struct hook_context *context, const char *expected)
{
	struct buf out;

	buf_init(&out, 4096);
	received_field(&out, context, "mx.example.com", "01ABC", DATE);
	buf_append(&out, "", 1);
	assert_string_equal(buf_head(&out), expected);
	buf_fini(&out);
}

static void test_plain(void **state)
{
	struct hook_helo helo = {"EHLO", octets("mail.example.net")};
	struct hook_mailbox bob = {.address = octets("bob@example.com")};
	struct hook_context context = {
		.client = {"192.0.2.1", 5}, .helo = &helo, .recipients = &bob, .recipients_len = 1};

	(void)state;
	expect(&context, "Received: from mail.example.net ([192.0.2.1])\r\n"
			 "\tby mx.example.com (gatepost) with ESMTP id 01ABC\r\n"
			 "\tfor <bob@example.com>;\r\n\t" DATE "\r\n");
}

static void test_secure_ipv6_several_recipients(void **state)
{
	struct hook_helo helo = {"EHLO", octets("x")};
	struct hook_tls tls = {
		.version = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384", .bits = 256};
	struct hook_auth auth = {.mechanism = "PLAIN", .user = octets("alice")};
	struct hook_mailbox recipients[2] = {{.address = octets("a@b")},
					     {.address = octets("c@d")}};
	struct hook_context context = {.client = {"2001:db8::1", 5},
				       .helo = &helo,
				       .tls = &tls,
				       .recipients = recipients,
				       .recipients_len = 2};

	(void)state;
	expect(&context, "Received: from x ([IPv6:2001:db8::1])\r\n"
			 "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256 bits))\r\n"
			 "\tby mx.example.com (gatepost) with ESMTPS id 01ABC;\r\n\t" DATE "\r\n");
	context.auth = &auth;
	helo.verb = "LHLO";
	expect(&context, "Received: from x ([IPv6:2001:db8::1])\r\n"
			 "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256 bits))\r\n"
			 "\tby mx.example.com (gatepost) with LMTPSA id 01ABC;\r\n\t" DATE "\r\n");
}

static void test_utf8(void **state)
{
	struct hook_helo helo = {"EHLO", octets("x")};
	const struct hook_param params[] = {{octets("BODY"), octets("8BITMIME")},
					    {octets("smtputf8"), {NULL, 0}}};
	struct hook_mailbox mail = {.params = params, .params_len = 2};
	struct hook_mailbox recipient = {.address = octets("b\xc3\xb6"
							   "b@example.com")};
	struct hook_context context = {
		.helo = &helo, .mail = &mail, .recipients = &recipient, .recipients_len = 1};

	(void)state;
	expect(&context, "Received: from x\r\n"
			 "\tby mx.example.com (gatepost) with UTF8SMTP id 01ABC\r\n"
			 "\tfor <b\xc3\xb6"
			 "b@example.com>;\r\n\t" DATE "\r\n");
}

/* Nothing a client says of itself may add a field or end the comment. */
static void test_hostile_names(void **state)
{
	struct hook_helo helo = {"HELO", {"a (b); c\"\xff\0d", 12}};
	struct hook_mailbox odd = {.address = octets("\"x> y\"@example.com")};
	struct hook_context context = {.helo = &helo, .recipients = &odd, .recipients_len = 1};

	(void)state;
	expect(&context, "Received: from a??b???c???d\r\n"
			 "\tby mx.example.com (gatepost) with SMTP id 01ABC\r\n"
			 "\tfor <?x??y?@example.com>;\r\n\t" DATE "\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_secure_ipv6_several_recipients),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
