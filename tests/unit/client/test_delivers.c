/* A service that delivers: what it accepts without a ref is never sent. */
#include "wire.h"

#define ARGS "{\"size\":1,\"body\":{\"mode\":\"none\"}}"

/* Nobody has what the author forgot to name. */
static void test_delivers_needs_ref(void **state)
{
	static const enum gatepost_decision accepting[] = {GATEPOST_ACCEPT, GATEPOST_BYPASS,
							   GATEPOST_QUARANTINE},
					    refusing[] = {GATEPOST_DISCARD, GATEPOST_REJECT};
	const struct gatepost_policy_options options = {.service = "t",
							.hooks = (1u << GATEPOST_HOOK_MAX) - 1};
	struct gatepost_policy *policy = wire_new(&options);
	struct gatepost_verdict verdict = {0};
	struct gatepost_error error;

	(void)state;
	assert_true(wire_feed(policy, WIRE_HELLO));
	assert_true(wire_feed(policy, WIRE_READY(",\"hooks\":{},\"grants\":[\"bypass\"],"
						 "\"delivers\":true")));
	for (size_t i = 0; i < 3; i++) {
		verdict.ref = NULL;
		verdict.decision = accepting[i];
		assert_true(wire_feed(policy, WIRE_ASK(7, "message", ARGS, WIRE_CONTEXT)));
		wire_drop_out(policy);
		assert_false(gatepost_policy_reply(policy, 7, &verdict, &error));
		assert_string_equal(error.code, "bad_reply");
		assert_string_equal(error.message, "this policy delivers: its accept needs ref");
		wire_expect(policy, "");
		verdict.ref = "a";
		assert_true(gatepost_policy_reply(policy, 7, &verdict, &error));
	}
	verdict.ref = NULL;
	for (size_t i = 0; i < 2; i++) {
		verdict.decision = refusing[i];
		assert_true(wire_feed(policy, WIRE_ASK(7, "message", ARGS, WIRE_CONTEXT)));
		assert_true(gatepost_policy_reply(policy, 7, &verdict, &error));
	}
	verdict.decision = GATEPOST_ACCEPT;
	assert_true(wire_feed(policy, WIRE_ASK(7, "connect", "{}", WIRE_CONTEXT)));
	assert_true(gatepost_policy_reply(policy, 7, &verdict, &error));
	gatepost_policy_free(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_delivers_needs_ref)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
