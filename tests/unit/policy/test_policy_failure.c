/* What a failed question becomes: the operator's choice where there is one, else a tempfail. */
#include "world.h"

#include <string.h>

#include "policy/policy_call.h"

#define REQUEST "\"type\":\"request\""

#define NEUTRAL "Temporary policy failure, try again later (" WORLD_TRANSACTION ")"

/* Only service "one"; it holds its replies. */
static void start_one(struct world *world)
{
	world->settings.services_len = 1;
	world->fakes[1].registration = NULL;
	world->fakes[0].reply = NULL;
	world_start(world);
}

static void ask_held(struct world *world, struct asked *asked)
{
	size_t before = fake_count(&world->fakes[0], REQUEST);

	asked_init(asked, world);
	assert_false(asked_start(asked));
	world_wait(world, fake_count(&world->fakes[0], REQUEST) > before);
}

static void test_on_failure(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_on_failure(world, 0, VERDICT_REJECT);
	start_one(world);
	ask_held(world, &asked);
	fake_hang_up(&world->fakes[0]);
	asked_expect(&asked, VERDICT_REJECT, 0, NULL, "one");
	assert_string_equal(asked.verdict.text, "Policy check failed (" WORLD_TRANSACTION ")");
	assert_int_equal(verdict_code(&asked.verdict, HOOK_RCPT), 550);
	asked_fini(&asked);

	world_on_failure(world, 0, VERDICT_DISCONNECT);
	world_wait(world, policy_is_ready(world->policy));
	ask_held(world, &asked);
	fake_hang_up(&world->fakes[0]);
	asked_expect(&asked, VERDICT_DISCONNECT, 0, NULL, "one");
	assert_string_equal(asked.verdict.text, NEUTRAL);
	assert_int_equal(verdict_code(&asked.verdict, HOOK_RCPT), 421);
	asked_fini(&asked);
}

static void test_on_failure_accept_asks_the_next(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_on_failure(world, 0, VERDICT_ACCEPT);
	world->services[0].timeout = 0.1;
	world->fakes[0].reply = NULL;
	world->fakes[1].reply = "{\"type\":\"reply\",\"id\":ID,\"verdict\":\"reject\"}\n";
	world_start(world);
	asked_init(&asked, world);
	asked_start(&asked);
	asked_expect(&asked, VERDICT_REJECT, 0, NULL, "two");
	assert_true(world_has_event(world, "policy=one hook=rcpt class=timeout action=accept"));
	asked_fini(&asked);

	world->fakes[1].reply = FAKE_ACCEPT;
	asked_init(&asked, world);
	asked_start(&asked);
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	assert_null(asked.verdict.text);
	asked_fini(&asked);
}

/* Each class has its own action; the faults of the protocol have none to choose. */
static void test_action_of_each_class(void **state)
{
	static const enum verdict_kind expected[] = {
		[POLICY_UNAVAILABLE] = VERDICT_ACCEPT, [POLICY_OVERLOAD] = VERDICT_REJECT,
		[POLICY_TIMEOUT] = VERDICT_DISCONNECT, [POLICY_LOST] = VERDICT_TEMPFAIL,
		[POLICY_BAD_REPLY] = VERDICT_TEMPFAIL, [POLICY_INTERNAL] = VERDICT_TEMPFAIL,
		[POLICY_STORAGE] = VERDICT_TEMPFAIL,
	};
	const struct policy_service_settings service = {
		.on_unavailable = VERDICT_ACCEPT,
		.on_overload = VERDICT_REJECT,
		.on_timeout = VERDICT_DISCONNECT,
		.on_lost = VERDICT_TEMPFAIL,
	};
	const struct hook_request request = {.hook = HOOK_RCPT, .session = "S"};

	(void)state;
	for (unsigned end = POLICY_UNAVAILABLE; end <= POLICY_STORAGE; end++) {
		struct verdict verdict;

		policy_call_failure((enum policy_end)end, &service, &request, &verdict);
		assert_string_equal(verdict_word(verdict.kind), verdict_word(expected[end]));
		assert_string_equal(verdict.reason, policy_end_word((enum policy_end)end));
		verdict_fini(&verdict);
	}
}

/* A slow service may be done without while a dead one holds the mail up. */
static void test_classes_differ(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[0].on_timeout = VERDICT_ACCEPT;
	world->services[0].on_lost = VERDICT_REJECT;
	world->services[0].timeout = 0.1;
	start_one(world);
	ask_held(world, &asked);
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
	ask_held(world, &asked);
	fake_hang_up(&world->fakes[0]);
	asked_expect(&asked, VERDICT_REJECT, 0, NULL, "one");
	assert_true(world_has_event(world, "class=lost action=reject"));
	asked_fini(&asked);
}

/* Nobody logs in because the one who knows the passwords is away. */
static void test_on_failure_never_accepts_a_login(void **state)
{
	struct world *world = *state;
	struct asked asked;

	for (unsigned end = POLICY_UNAVAILABLE; end <= POLICY_STORAGE; end++) {
		for (unsigned kind = 0; kind < VERDICT_MAX; kind++) {
			struct hook_request request = {.hook = HOOK_AUTH, .session = "S"};
			struct verdict verdict;

			world_on_failure(world, 0, (enum verdict_kind)kind);
			policy_call_failure((enum policy_end)end, &world->services[0], &request,
					    &verdict);
			assert_int_not_equal(verdict.kind, VERDICT_ACCEPT);
			if (kind == VERDICT_ACCEPT)
				assert_int_equal(verdict.kind, VERDICT_TEMPFAIL);
			verdict_fini(&verdict);
		}
	}
	world_on_failure(world, 0, VERDICT_ACCEPT);
	world_on_failure(world, 1, VERDICT_ACCEPT);
	world_start_alone(world);
	asked_init(&asked, world);
	asked.request.hook = HOOK_AUTH;
	asked.request.transaction = NULL;
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 454, "4.3.0", "one");
	assert_true(
		world_has_event(world, "policy=one hook=auth class=unavailable action=tempfail"));
	asked_fini(&asked);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_on_failure),
		TEST(test_on_failure_accept_asks_the_next),
		cmocka_unit_test(test_action_of_each_class),
		TEST(test_classes_differ),
		TEST(test_on_failure_never_accepts_a_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
