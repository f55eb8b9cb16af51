#include "wire.h"

#define NAMES                                                                                      \
	",\"hooks\":{\"mail\":{\"deadline_ms\":3000,\"extend_ms\":57000},\"message\":"             \
	"{\"deadline_ms\":3000}}"

static void count(void *arg, const char *message)
{
	(void)message;
	++*(int *)arg;
}

static struct gatepost_policy_options options = {.service = "test",
						 .hooks = 1u << GATEPOST_HOOK_MAIL |
							  1u << GATEPOST_HOOK_MESSAGE,
						 .window = 4};

static struct gatepost_policy *make_ready(const char *ready)
{
	struct gatepost_policy *policy = wire_new(&options);

	assert_true(wire_feed(policy, WIRE_HELLO));
	assert_null(gatepost_policy_ready(policy));
	wire_drop_out(policy);
	if (!wire_feed(policy, ready))
		fail_msg("%s", gatepost_policy_error(policy)->message);
	return policy;
}

static void test_facts_for_each_hook(void **state)
{
	static const char *const all[] = {"client", NULL}, *const mail[] = {"mail", "client", NULL},
				 *const tls[] = {"tls", "helo", "tls", NULL};
	struct gatepost_policy_options o = options;
	struct gatepost_error error;
	struct gatepost_policy *policy;

	(void)state;
	o.need = all;
	o.need_at[GATEPOST_HOOK_MESSAGE] = mail;
	o.want_at[GATEPOST_HOOK_MAIL] = tls;
	policy = wire_new(&o);
	assert_true(wire_feed(policy, WIRE_HELLO));
	wire_expect(policy,
		    "{\"type\":\"register\",\"version\":1,\"service\":\"test\",\"software\":"
		    "\"gatepost-c/" GATEPOST_VERSION "\",\"hooks\":{\"mail\":{\"need\":"
		    "[\"client\"],\"want\":[\"tls\",\"helo\"]},\"message\":{\"need\":[\"client\","
		    "\"mail\"]}},\"window\":4}\n");
	gatepost_policy_free(&policy);
	o.want_at[GATEPOST_HOOK_RCPT] = tls; /* it is not asked there */
	assert_null(gatepost_policy_new(&o, &error));
	assert_string_equal(error.code, "usage");
}

static void test_what_ready_says(void **state)
{
	struct gatepost_policy *policy = make_ready(WIRE_READY(NAMES));
	const struct gatepost_ready *ready = gatepost_policy_ready(policy);

	(void)state;
	assert_string_equal(ready->policy, "p");
	assert_string_equal(ready->missing, "");
	assert_false(ready->shadow || ready->bypass);
	assert_int_equal(ready->hooks, options.hooks);
	assert_int_equal(ready->window, 4);
	assert_int_equal(ready->deadline_ms[GATEPOST_HOOK_MAIL], 3000);
	assert_int_equal(ready->extend_ms[GATEPOST_HOOK_MAIL], 57000);
	assert_int_equal(ready->extend_ms[GATEPOST_HOOK_MESSAGE], 0);
	gatepost_policy_free(&policy);
	policy = make_ready(WIRE_READY(NAMES ",\"mode\":\"shadow\",\"grants\":[\"x\",\"bypass\"]"));
	ready = gatepost_policy_ready(policy);
	assert_true(ready->shadow && ready->bypass && !ready->delivers);
	gatepost_policy_free(&policy);
	policy = make_ready(WIRE_READY(NAMES ",\"delivers\":true"));
	assert_true(gatepost_policy_ready(policy)->delivers);
	gatepost_policy_free(&policy);
}

static void test_shadow_and_missing_are_told(void **state)
{
	int told = 0;
	struct gatepost_policy *policy;

	(void)state;
	options.log = count;
	options.log_arg = &told;
	policy = wire_new(&options);
	assert_true(wire_feed(policy, WIRE_HELLO));
	assert_true(wire_feed(policy,
			      "{\"type\":\"ready\",\"version\":1,\"policy\":\"p\",\"missing\":"
			      "[\"client.name\",\"tls.peer\"],\"window\":4,\"body\":[],\"mode\":"
			      "\"shadow\"" NAMES "}\n"));
	assert_string_equal(gatepost_policy_ready(policy)->missing, "client.name tls.peer");
	assert_int_equal(told, 2);
	options.log = NULL;
	gatepost_policy_free(&policy);
}

static void test_ready_of_a_wrong_shape(void **state)
{
	static const char *const wrong[] = {
		WIRE_READY(",\"hooks\":{\"mail\":{\"deadline_ms\":-1}}"),
		WIRE_READY(",\"hooks\":{\"mail\":{\"extend_ms\":\"1\"}}"),
		WIRE_READY(NAMES ",\"mode\":1"),
		WIRE_READY(NAMES ",\"grants\":[1]"),
		WIRE_READY(NAMES ",\"grants\":\"bypass\""),
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct gatepost_policy *policy = wire_new(&options);

		assert_true(wire_feed(policy, WIRE_HELLO));
		assert_false(wire_feed(policy, wrong[i]));
		assert_string_equal(gatepost_policy_error(policy)->code, "bad_message");
		gatepost_policy_free(&policy);
	}
}

static void test_bypass_needs_its_grant(void **state)
{
	struct gatepost_verdict verdict = gatepost_bypass();
	struct gatepost_error error;
	struct gatepost_policy *policy = make_ready(WIRE_READY(NAMES));

	(void)state;
	assert_true(wire_feed(policy, WIRE_ASK(7, "message",
					       "{\"size\":1,\"body\":{\"mode\":"
					       "\"none\"}}",
					       WIRE_CONTEXT)));
	assert_true(gatepost_verdict_check(&verdict, &error)); /* by itself */
	assert_false(gatepost_policy_reply(policy, 7, &verdict, &error));
	assert_string_equal(error.code, "bad_reply");
	assert_string_equal(error.message, "bypass is not granted to this policy");
	wire_expect(policy, "");
	gatepost_policy_free(&policy);
	policy = make_ready(WIRE_READY(NAMES ",\"grants\":[\"bypass\"]"));
	assert_true(wire_feed(policy, WIRE_ASK(7, "message",
					       "{\"size\":1,\"body\":{\"mode\":"
					       "\"none\"}}",
					       WIRE_CONTEXT)));
	assert_true(gatepost_policy_reply(policy, 7, &verdict, &error));
	wire_expect(policy, "{\"type\":\"reply\",\"id\":7,\"verdict\":\"bypass\"}\n");
	gatepost_policy_free(&policy);
}

static void test_progress(void **state)
{
	struct gatepost_policy *policy = make_ready(WIRE_READY(NAMES));
	struct gatepost_error error;

	(void)state;
	assert_true(wire_feed(policy, WIRE_ASK(7, "message",
					       "{\"size\":1,\"body\":{\"mode\":"
					       "\"none\"}}",
					       WIRE_CONTEXT)));
	assert_false(gatepost_policy_progress(policy, 8, 1, &error));
	assert_string_equal(error.code, "unknown_id");
	assert_false(gatepost_policy_progress(policy, 7, 0, &error));
	assert_string_equal(error.code, "usage");
	assert_false(gatepost_policy_progress(policy, 7, 3600001, &error));
	wire_expect(policy, "");
	assert_true(gatepost_policy_progress(policy, 7, 3600000, &error));
	assert_string_equal(error.code, "");
	wire_expect(policy, "{\"type\":\"progress\",\"id\":7,\"extend_ms\":3600000}\n");
	gatepost_policy_free(&policy);
}

static bool ask(struct gatepost_policy *policy, int id)
{
	char line[512];

	snprintf(
		line, sizeof line,
		WIRE_ASK(% d, "message", "{\"size\":1,\"body\":{\"mode\":\"none\"}}", WIRE_CONTEXT),
		id);
	return wire_feed(policy, line);
}

/* Requests on their way when it is lowered are still taken; one that is raised lets more come. */
static void test_window(void **state)
{
	struct gatepost_policy *policy = wire_new(&options);

	(void)state;
	gatepost_policy_window(policy, 3);
	wire_expect(policy, ""); /* nobody to tell */
	gatepost_policy_free(&policy);
	policy = make_ready(WIRE_READY(NAMES));
	gatepost_policy_window(policy, 0);
	wire_expect(policy, "{\"type\":\"window\",\"n\":0}\n");
	for (int id = 1; id <= 4; id++)
		assert_true(ask(policy, id));
	gatepost_policy_window(policy, 5);
	assert_true(ask(policy, 5));
	assert_false(ask(policy, 6));
	gatepost_policy_free(&policy);
	policy = make_ready(WIRE_READY(NAMES));
	gatepost_policy_drain(policy);
	wire_drop_out(policy);
	gatepost_policy_window(policy, 5);
	wire_expect(policy, "");
	gatepost_policy_free(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts_for_each_hook),
		cmocka_unit_test(test_what_ready_says),
		cmocka_unit_test(test_shadow_and_missing_are_told),
		cmocka_unit_test(test_ready_of_a_wrong_shape),
		cmocka_unit_test(test_bypass_needs_its_grant),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
