/* A program that has functions with the names of some within the library: it links, and the library
 * does not call them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gatepost/events.h>
#include <gatepost/policy.h>

void hook_word(void);
void verdict_fini(void);
void verdict_problem(void);
void jsonl_feed(void);
void json_out_raw(void);
void grow_resize(void);
void strict_json_parse(void);
void handshake_read_register(void);
void gatepost_shape_fail(void);

#define OURS(name)                                                                                 \
	void name(void)                                                                            \
	{                                                                                          \
		abort();                                                                           \
	}
OURS(hook_word)
OURS(verdict_fini)
OURS(verdict_problem)
OURS(jsonl_feed)
OURS(json_out_raw)
OURS(grow_resize)
OURS(strict_json_parse)
OURS(handshake_read_register)
OURS(gatepost_shape_fail)

static void test_a_program_may_use_the_same_names(void **state)
{
	const struct gatepost_policy_options options = {.service = "names",
							.hooks = 1u << GATEPOST_HOOK_MAIL};
	const struct gatepost_events_options all = {0};
	struct gatepost_verdict verdict = gatepost_reject("No", 550, "5.7.1");
	struct gatepost_error error;
	struct gatepost_policy *policy = gatepost_policy_new(&options, &error);
	struct gatepost_events *events = gatepost_events_new(&all, &error);

	(void)state;
	assert_true(gatepost_verdict_check(&verdict, &error));
	assert_string_equal(gatepost_hook_word(GATEPOST_HOOK_MAIL), "mail");
	assert_false(gatepost_policy_feed(policy, "{}\n", 3));
	assert_false(gatepost_events_feed(events, "{}\n", 3));
	gatepost_policy_free(&policy);
	gatepost_events_free(&events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_program_may_use_the_same_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
