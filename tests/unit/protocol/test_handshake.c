#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "examples.h"
#include "protocol/event.h"
#include "protocol/handshake.h"

#define EPOCH "01K2F7NW40S6GZQB1M8K"

static const struct handshake_gateway gateway = {"mx1.example.org", 0, EPOCH, "gatepost/0.1.0"};

static struct handshake_register read_register(const char *line)
{
	struct handshake_register reg;
	struct handshake_error error;

	if (!handshake_read_register(line, strlen(line), HOOK_FACTS_ALL, &reg, &error))
		fail_msg("%s: %s", line, error.message);
	return reg;
}

static struct handshake_register read_register_example(const char *name)
{
	size_t len;
	char *line = examples_read(name, &len);
	struct handshake_register reg = read_register(line);

	free(line);
	return reg;
}

static void test_hellos(void **state)
{
	struct json_out out = {0};

	(void)state;
	handshake_policy_hello(&out, &gateway, 26214400, 15000);
	examples_assert_equal(&out, "valid/hello-policy.json");
	handshake_events_hello(&out, &gateway, 1048576, 917504);
	examples_assert_equal(&out, "valid/hello-events.json");
	json_out_fini(&out);
}

static void test_ready(void **state)
{
	struct handshake_register reg = read_register_example("valid/register-greylist.json");
	struct json_out out = {0};

	(void)state;
	handshake_policy_ready(&out, &reg,
			       &(struct handshake_ready){.policy = "greylist",
							 .hooks = reg.hooks,
							 .deadline_ms = 3000});
	examples_assert_equal(&out, "valid/ready-greylist.json");
	handshake_policy_ready(&out, &reg,
			       &(struct handshake_ready){.policy = "greylist",
							 .hooks = reg.hooks,
							 .deadline_ms = 3000,
							 .shadow = true});
	examples_assert_equal(&out, "valid/ready-shadow.json");
	reg = read_register_example("valid/register-scanner.json");
	snprintf(reg.missing, sizeof reg.missing, "client.name");
	handshake_policy_ready(&out, &reg,
			       &(struct handshake_ready){.policy = "scanner",
							 .hooks = reg.hooks,
							 .deadline_ms = 30000,
							 .extend_ms = 60000,
							 .grants = 1u << HANDSHAKE_GRANT_BYPASS,
							 .spool = "/var/spool/gatepost"});
	examples_assert_equal(&out, "valid/ready-scanner.json");
	reg.missing[0] = '\0';
	handshake_policy_ready(&out, &reg,
			       &(struct handshake_ready){.policy = "app",
							 .hooks = reg.hooks,
							 .deadline_ms = 30000,
							 .spool = "/var/spool/gatepost",
							 .delivers = true});
	examples_assert_equal(&out, "valid/ready-delivers.json");
	json_out_fini(&out);
}

static void test_errors_and_subscriptions(void **state)
{
	static const char *const patterns[] = {"connect", "message", "policy.*"}, *const all[] = {
											  "*"};
	struct json_out out = {0};

	(void)state;
	handshake_error(&out, true, 0, "need_unavailable",
			"hook rcpt needs \"client.name\", which is not known");
	examples_assert_equal(&out, "valid/error-fatal.json");
	handshake_error(&out, false, 6, "bad_reply", "status 4.7.1 does not match code 550");
	examples_assert_equal(&out, "valid/error-reply.json");
	handshake_error(&out, false, 9, "bad_message",
			"\"extend_ms\" must be an integer of 1 to 3600000, not 0");
	examples_assert_equal(&out, "valid/error-progress.json");
	handshake_subscribe(&out, "siem", patterns, 3, &(struct handshake_subscribe){0});
	examples_assert_equal(&out, "valid/subscribe-now.json");
	handshake_subscribe(&out, "tail", all, 1,
			    &(struct handshake_subscribe){.from = HANDSHAKE_OLDEST});
	examples_assert_equal(&out, "valid/subscribe-oldest.json");
	handshake_subscribe(&out, "audit", patterns + 1, 1,
			    &(struct handshake_subscribe){
				    .from = HANDSHAKE_AFTER, .epoch = EPOCH, .close_on_lag = true});
	examples_assert_equal(&out, "valid/subscribe-close.json");
	handshake_subscribed(&out, EPOCH, 1048001, 576);
	examples_assert_equal(&out, "valid/subscribed.json");
	json_out_fini(&out);
}

static void test_register(void **state)
{
	struct handshake_register reg = read_register_example("valid/register-greylist.json");

	(void)state;
	assert_string_equal(reg.service, "greylist");
	assert_string_equal(reg.software, "greylist/2.4");
	assert_int_equal(reg.hooks, 1u << HOOK_RCPT | 1u << HOOK_DISCONNECT);
	assert_string_equal(reg.missing, "");
	assert_int_equal(reg.body_len, 1);
	assert_int_equal(reg.body[0], HOOK_BODY_NONE);
	assert_int_equal(reg.window, 64);

	reg = read_register_example("valid/register-minimal.json");
	assert_string_equal(reg.service, "");
	assert_int_equal(reg.body_len, 1);
	assert_int_equal(reg.body[0], HOOK_BODY_NONE);
	assert_int_equal(reg.window, 64);

	reg = read_register_example("valid/register-body-twice.json");
	assert_int_equal(reg.body_len, 2);
	assert_int_equal(reg.body[0], HOOK_BODY_INLINE);
	assert_int_equal(reg.body[1], HOOK_BODY_HEADERS);

	reg = read_register_example("valid/register-window-large.json");
	assert_int_equal(reg.window, PROTOCOL_WINDOW_MAX);
}

static void test_what_is_wanted_in_vain(void **state)
{
	struct handshake_register reg =
		read_register("{\"type\":\"register\",\"version\":1,\"hooks\":{\"mail\":{\"want\":["
			      "\"geo\",\"tls\",\"a b\"]},"
			      "\"rcpt\":{\"want\":[\"geo\",\"\",\"\\u001b\",\"a\"]}}}");

	(void)state;
	assert_string_equal(reg.missing, "geo a?b ? a");
}

/* What a listener cannot tell depends on how it is set up: no name look-up, no PROXY header. */
static void test_facts_that_no_listener_tells(void **state)
{
	static const char need[] = "{\"type\":\"register\",\"version\":1,\"hooks\":{\"connect\":{"
				   "\"need\":[\"client\",\"client.name\"]}}}",
			  want[] = "{\"type\":\"register\",\"version\":1,\"hooks\":{\"connect\":{"
				   "\"want\":[\"client.name\",\"client.proxy\",\"tls.peer\","
				   "\"mail\"]},\"rcpt\":{\"want\":[\"client.name\",\"mail\"]}}}";
	unsigned facts = HOOK_FACTS_ALL & ~(1u << HOOK_FACT_CLIENT_NAME);
	struct handshake_register reg;
	struct handshake_error error;

	(void)state;
	assert_true(handshake_read_register(need, strlen(need), HOOK_FACTS_ALL, &reg, &error));
	assert_false(handshake_read_register(need, strlen(need), facts, &reg, &error));
	assert_string_equal(error.code, "need_unavailable");
	assert_string_equal(error.message, "hook connect needs \"client.name\", which no listener "
					   "that asks this service can tell");
	assert_true(handshake_read_register(want, strlen(want), facts, &reg, &error));
	assert_string_equal(reg.missing, "client.name mail");
	facts &= ~(1u << HOOK_FACT_TLS_PEER);
	assert_true(handshake_read_register(want, strlen(want), facts, &reg, &error));
	assert_string_equal(reg.missing, "client.name tls.peer mail");
}

static void test_grants_go_both_ways(void **state)
{
	enum handshake_grant grant = HANDSHAKE_GRANT_MAX;

	(void)state;
	assert_false(handshake_grant_from_word("relay", &grant));
	assert_int_equal(grant, HANDSHAKE_GRANT_MAX);
	assert_true(
		handshake_grant_from_word(handshake_grant_word(HANDSHAKE_GRANT_BYPASS), &grant));
	assert_int_equal(grant, HANDSHAKE_GRANT_BYPASS);
}

static void test_names_are_made_printable(void **state)
{
	struct handshake_register reg = read_register(
		"{\"type\":\"register\",\"version\":1,\"hooks\":{\"mail\":{}},\"service\":"
		"\"a\\u001b[2J\\n\","
		"\"software\":"
		"\"0123456789012345678901234567890123456789012345678901234567890123456789\"}");

	(void)state;
	assert_string_equal(reg.service, "a?[2J?");
	assert_int_equal(strlen(reg.software), 64);
}

static void test_register_refusals(void **state)
{
	static const char *const rows[][3] = {
		{"nonsense", "bad_json", "not a strict JSON object"},
		{"{\"type\":\"reply\"}", "bad_message",
		 "expected a message of type \"register\", not \"reply\""},
		{"{\"type\":\"register\"}", "bad_message",
		 "\"version\" must be an integer, not nothing"},
		{"{\"type\":\"register\",\"version\":2}", "version",
		 "version 2 is not known: use 1"},
		{"{\"type\":\"register\",\"version\":1}", "bad_message",
		 "\"hooks\" must be an object, not nothing"},
		{"{\"type\":\"register\",\"version\":1,\"hooks\":{}}", "bad_message",
		 "\"hooks\" is empty"},
		{"{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcptt\":{}}}", "unknown_hook",
		 "hook \"rcptt\" is not known"},
		{"{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":null}}", "bad_message",
		 "the options of hook rcpt must be an object, not null"},
		{"{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":{\"need\":[\"geo\"]}}}",
		 "need_unavailable", "hook rcpt needs \"geo\", which is not known"},
		{"{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":{\"need\":[\"client\","
		 "\"\"]}}"
		 "}",
		 "need_unavailable", "hook rcpt needs \"\", which is not known"},
		{"{\"type\":\"register\",\"version\":1,\"hooks\":{\"mail\":{\"need\":[\"mail\"]}}}",
		 "need_unavailable", "hook mail needs \"mail\", which is never there at this hook"},
		{"{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":{\"need\":["
		 "\"recipients\"]}}}",
		 "need_unavailable",
		 "hook rcpt needs \"recipients\", which is never there at this hook"},
		{"{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":{\"want\":\"tls\"}}}",
		 "bad_message", "\"want\" must be an array of strings, not \"tls\""},
		{"{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":{}},\"body\":"
		 "[\"socket\"]}",
		 "body_unknown",
		 "body mode \"socket\" is not known: use none, headers, inline, path, fd"},
		{"{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":{}},\"body\":[\"path\","
		 "\"inline\"]}",
		 "body_no_fallback", "body mode \"inline\" needs a fallback after it"},
		{"{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":{}},\"window\":0}",
		 "bad_message", "\"window\" must be an integer of at least 1, not 0"},
		{"{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":{}},\"must\":[\"fly\"]}",
		 "bad_message", "\"must\" names an unknown feature: \"fly\""},
	};
	struct handshake_register reg;
	struct handshake_error error;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (handshake_read_register(rows[i][0], strlen(rows[i][0]), HOOK_FACTS_ALL, &reg,
					    &error))
			fail_msg("%s is accepted", rows[i][0]);
		if (strcmp(error.code, rows[i][1]) != 0 || !strstr(error.message, rows[i][2]))
			fail_msg("%s: %s: %s", rows[i][0], error.code, error.message);
	}
}

static struct handshake_subscribe read_subscribe_example(const char *name)
{
	struct handshake_subscribe subscribe;
	struct handshake_error error;
	size_t len;
	char *line = examples_read(name, &len);

	if (!handshake_read_subscribe(line, len, &subscribe, &error))
		fail_msg("%s: %s", name, error.message);
	free(line);
	return subscribe;
}

static void test_subscribe(void **state)
{
	struct handshake_subscribe s = read_subscribe_example("valid/subscribe-after.json");
	uint32_t policy = 0;

	(void)state;
	event_match("policy.*", &policy);
	assert_string_equal(s.name, "siem");
	assert_int_equal(s.events, policy | 1u << EVENT_CONNECT | 1u << EVENT_MESSAGE);
	assert_int_equal(s.from, HANDSHAKE_AFTER);
	assert_string_equal(s.epoch, EPOCH);
	assert_int_equal(s.seq, 1048000);

	s = read_subscribe_example("valid/subscribe-minimal.json");
	assert_string_equal(s.name, "");
	assert_int_equal(s.events, (1u << EVENT_MAX) - 1);
	assert_int_equal(s.from, HANDSHAKE_NOW);

	s = read_subscribe_example("valid/subscribe-oldest.json");
	assert_int_equal(s.from, HANDSHAKE_OLDEST);
	assert_false(s.close_on_lag);
	s = read_subscribe_example("valid/subscribe-close.json");
	assert_true(s.close_on_lag);
	assert_int_equal(s.from, HANDSHAKE_AFTER);
	assert_int_equal(s.seq, 0);
	s = read_subscribe_example("valid/subscribe-gap.json");
	assert_false(s.close_on_lag);
	s = read_subscribe_example("valid/subscribe-nothing.json");
	assert_int_equal(s.events, 0);
}

static void valid_register(const char *name, const char *line, size_t len)
{
	struct handshake_register reg;
	struct handshake_error error;

	if (!handshake_read_register(line, len, HOOK_FACTS_ALL, &reg, &error))
		fail_msg("%s: %s", name, error.message);
	assert_true(reg.hooks && reg.body_len >= 1 && reg.body_len <= HOOK_BODY_MAX);
	assert_in_range(reg.window, 1, PROTOCOL_WINDOW_MAX);
}

static void valid_subscribe(const char *name, const char *line, size_t len)
{
	struct handshake_subscribe subscribe;
	struct handshake_error error;

	if (!handshake_read_subscribe(line, len, &subscribe, &error))
		fail_msg("%s: %s", name, error.message);
}

static void check_error(const char *name, bool accepted, const struct handshake_error *error)
{
	if (accepted)
		fail_msg("%s is accepted", name);
	assert_true(error->code[0] && error->message[0]);
	for (const char *p = error->message; *p; p++)
		assert_in_range(*p, ' ', '~');
}

static void invalid_register(const char *name, const char *line, size_t len)
{
	struct handshake_register reg;
	struct handshake_error error = {0};

	check_error(name, handshake_read_register(line, len, HOOK_FACTS_ALL, &reg, &error), &error);
}

static void invalid_subscribe(const char *name, const char *line, size_t len)
{
	struct handshake_subscribe subscribe;
	struct handshake_error error = {0};

	check_error(name, handshake_read_subscribe(line, len, &subscribe, &error), &error);
}

static void invalid_line(const char *name, const char *line, size_t len)
{
	invalid_register(name, line, len);
	invalid_subscribe(name, line, len);
}

static void test_examples(void **state)
{
	(void)state;
	assert_true(examples_each("valid", "register-", valid_register) >= 6);
	assert_true(examples_each("valid", "subscribe-", valid_subscribe) >= 5);
	assert_true(examples_each("invalid", "register-", invalid_register) >= 15);
	assert_true(examples_each("invalid", "subscribe-", invalid_subscribe) >= 10);
	assert_true(examples_each("invalid", "line-", invalid_line) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hellos),
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_errors_and_subscriptions),
		cmocka_unit_test(test_register),
		cmocka_unit_test(test_what_is_wanted_in_vain),
		cmocka_unit_test(test_facts_that_no_listener_tells),
		cmocka_unit_test(test_grants_go_both_ways),
		cmocka_unit_test(test_names_are_made_printable),
		cmocka_unit_test(test_register_refusals),
		cmocka_unit_test(test_subscribe),
		cmocka_unit_test(test_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
