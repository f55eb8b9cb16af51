#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "session/received.h"

#define DATE "Tue, 24 Nov 2026 11:03:15 +0000"

static bool show_client = true;

static struct octets octets(const char *text)
{
	return (struct octets){text, strlen(text)};
}

static void expect(const struct hook_context *context, const char *expected)
{
	struct buf out;

	buf_init(&out, 4096);
	received_field(&out, context, show_client, "mx.example.com", "01ABC", DATE);
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
			 "\tby mx.example.com (gatepost) with ESMTPS id 01ABC\r\n"
			 "\ttls TLS_AES_256_GCM_SHA384;\r\n\t" DATE "\r\n");
	context.auth = &auth;
	helo.verb = "LHLO";
	expect(&context, "Received: from x ([IPv6:2001:db8::1])\r\n"
			 "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256 bits))\r\n"
			 "\tby mx.example.com (gatepost) with LMTPSA id 01ABC\r\n"
			 "\ttls TLS_AES_256_GCM_SHA384;\r\n\t" DATE "\r\n");
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

/* RFC 3848, RFC 6531 section 4.3. */
static void test_protocols(void **state)
{
	static const struct {
		const char *verb;
		bool utf8, tls, auth;
		const char *word;
	} rows[] = {
		{"HELO", false, false, false, "SMTP"},	  {"HELO", false, true, true, "SMTP"},
		{"EHLO", false, false, false, "ESMTP"},	  {"EHLO", false, false, true, "ESMTPA"},
		{"EHLO", false, true, false, "ESMTPS"},	  {"EHLO", false, true, true, "ESMTPSA"},
		{"EHLO", true, false, false, "UTF8SMTP"}, {"EHLO", true, false, true, "UTF8SMTPA"},
		{"EHLO", true, true, false, "UTF8SMTPS"}, {"EHLO", true, true, true, "UTF8SMTPSA"},
		{"LHLO", false, false, false, "LMTP"},	  {"LHLO", false, false, true, "LMTPA"},
		{"LHLO", false, true, false, "LMTPS"},	  {"LHLO", false, true, true, "LMTPSA"},
		{"LHLO", true, false, false, "UTF8LMTP"}, {"LHLO", true, false, true, "UTF8LMTPA"},
		{"LHLO", true, true, false, "UTF8LMTPS"}, {"LHLO", true, true, true, "UTF8LMTPSA"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct hook_helo helo = {rows[i].verb, octets("x")};
		const struct hook_param params[] = {{octets("SMTPUTF8"), {NULL, 0}}};
		struct hook_mailbox mail = {.params = params, .params_len = rows[i].utf8};
		struct hook_tls tls = {"TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", 128, {0}, NULL};
		struct hook_auth auth = {.mechanism = "PLAIN", .user = octets("alice")};
		struct hook_context context = {.helo = &helo,
					       .mail = &mail,
					       .tls = rows[i].tls ? &tls : NULL,
					       .auth = rows[i].auth ? &auth : NULL};
		char expected[512];

		snprintf(expected, sizeof expected,
			 "Received: from x%s\r\n"
			 "\tby mx.example.com (gatepost) with %s id 01ABC;\r\n\t" DATE "\r\n",
			 rows[i].tls ? "\r\n\t(using TLSv1.2 with cipher "
				       "ECDHE-RSA-AES128-GCM-SHA256 (128 bits))"
				     : "",
			 rows[i].word);
		expect(&context, expected);
	}
}

/* Neither the address nor the name that the client has given itself. */
static void test_hidden_client(void **state)
{
	struct hook_helo helo = {"EHLO", octets("alices-laptop")};
	struct hook_context context = {.client = {"192.0.2.1", 5}, .helo = &helo};

	(void)state;
	show_client = false;
	expect(&context, "Received: from localhost\r\n"
			 "\tby mx.example.com (gatepost) with ESMTP id 01ABC;\r\n\t" DATE "\r\n");
	show_client = true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_secure_ipv6_several_recipients),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_hidden_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
