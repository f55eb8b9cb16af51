/* The time that all services of a chain have together. */
#include "world.h"

#include <string.h>

#define REQUEST "\"type\":\"request\""

#define PROGRESS(ms) "{\"type\":\"progress\",\"id\":ID,\"extend_ms\":" ms "}\n"

static void test_budget_is_over_whatever_the_action(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_on_failure(world, 0, VERDICT_ACCEPT);
	world->services[0].timeout = 60;
	world->fakes[0].reply = NULL;
	world_start(world);
	asked_init(&asked, world);
	asked.budget = 0.5;
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_string_equal(asked.verdict.reason, "late");
	asked_fini(&asked);
	assert_true(world_has_event(world, "class=late action=tempfail"));
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 0);
	assert_false(world_has_event(world, "policy.breaker"));
}

/* A time so short that it is over at once. */
static void test_nobody_is_asked_when_the_budget_is_over(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_start(world);
	asked_init(&asked, world);
	asked.budget = 1e-9;
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_true(world_has_event(world, "class=late action=tempfail"));
	for (int i = 0; i < 3; i++)
		world_turn(world);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 0);
	asked_fini(&asked);
}

static void test_budget_is_of_all_services_together(void **state)
{
	struct world *world = *state;
	struct asked asked;
	const char *deadline;
	double start;

	world->services[0].timeout = world->services[1].timeout = 60;
	world->fakes[0].reply = world->fakes[1].reply = NULL;
	world_start(world);
	start = world_clock();
	asked_init(&asked, world);
	asked.budget = 3;
	assert_false(asked_start(&asked));
	world_wait(world, fake_id(&world->fakes[0], 0));
	world_wait(world, world_clock() > start + 1);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], 0));
	world_wait(world, fake_id(&world->fakes[1], 0));
	deadline = strstr(fake_line(&world->fakes[1], REQUEST, 0), "\"deadline_ms\":");
	assert_in_range(strtol(deadline + 14, NULL, 10), 1, 2000);
	/* Not even progress moves it. */
	fake_answer(&world->fakes[1], PROGRESS("60000"), fake_id(&world->fakes[1], 0));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "two");
	assert_true(world_has_event(world, "policy=two hook=rcpt class=late"));
	asked_fini(&asked);
}

static void test_deadline_within_the_budget_is_a_timeout(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_on_failure(world, 0, VERDICT_ACCEPT);
	world->services[0].timeout = 0.2;
	world->fakes[0].reply = NULL;
	world_start(world);
	asked_init(&asked, world);
	asked.budget = 60;
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	assert_true(world_has_event(world, "class=timeout action=accept"));
	asked_fini(&asked);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_budget_is_over_whatever_the_action),
		TEST(test_nobody_is_asked_when_the_budget_is_over),
		TEST(test_budget_is_of_all_services_together),
		TEST(test_deadline_within_the_budget_is_a_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
