/* Whether the services that the operator requires are there. */
#include "world.h"

#include <string.h>

/* More than the 10 s that a service may be away. */
static void wait_for_readiness(struct world *world, bool ready)
{
	double until = world_clock() + 30;

	while (!policy_missing(world->policy) != ready || world->ready != ready) {
		assert_true(world_clock() < until);
		world_turn(world);
	}
}

static void test_nobody_is_required(void **state)
{
	struct world *world = *state;

	world_start_alone(world);
	assert_null(policy_missing(world->policy));
	assert_false(policy_is_connected(world->policy));
}

static void test_ready_when_all_required_are_there(void **state)
{
	struct world *world = *state;

	world->services[0].required = world->services[1].required = true;
	fake_listen(&world->fakes[0]);
	world_start_alone(world);
	assert_non_null(policy_missing(world->policy));
	world_wait(world, fake_count(&world->fakes[0], "\"type\":\"ready\""));
	assert_non_null(policy_missing(world->policy));
	assert_int_equal(world->readiness_told, 0);
	fake_listen(&world->fakes[1]);
	wait_for_readiness(world, true);
	assert_int_equal(world->readiness_told, 1);
	assert_string_equal(world->missing, "");
}

static void test_short_absence_is_not_told(void **state)
{
	struct world *world = *state;

	world->services[0].required = true;
	world_start(world);
	wait_for_readiness(world, true);
	fake_stop(&world->fakes[0]);
	world_wait(world, !policy_is_connected(world->policy));
	assert_null(policy_missing(world->policy));
	fake_listen(&world->fakes[0]);
	world_wait(world, policy_is_connected(world->policy));
	assert_null(policy_missing(world->policy));
	assert_int_equal(world->readiness_told, 1);
}

/* "one" is lost, "two" does not count. */
static void test_long_absence(void **state)
{
	struct world *world = *state;
	double start;

	world->services[0].required = true;
	world_start(world);
	wait_for_readiness(world, true);
	fake_stop(&world->fakes[0]);
	fake_stop(&world->fakes[1]);
	world_wait(world, !policy_is_connected(world->policy));
	start = world_clock();
	wait_for_readiness(world, false);
	assert_true(world_clock() - start >= 9);
	assert_string_equal(world->missing, "one");
	assert_int_equal(world->readiness_told, 2);
	fake_listen(&world->fakes[0]);
	wait_for_readiness(world, true);
	assert_int_equal(world->readiness_told, 3);
}

/* Two are away; the one that was told last comes back. */
static void test_one_of_two_comes_back(void **state)
{
	struct world *world = *state;
	double until = world_clock() + 60;
	unsigned last;

	world->services[0].required = world->services[1].required = true;
	world_start_alone(world);
	while (world->readiness_told < 2) {
		assert_true(world_clock() < until);
		world_turn(world);
	}
	last = strcmp(world->missing, "two") == 0;
	fake_listen(&world->fakes[last]);
	world_wait(world, world->readiness_told == 3);
	assert_false(world->ready);
	assert_string_equal(world->missing, last ? "one" : "two");
	assert_string_equal(policy_missing(world->policy), world->missing);
}

static void test_never_there(void **state)
{
	struct world *world = *state;
	double until = world_clock() + 30;

	world->services[1].required = true;
	world_start_alone(world);
	while (!world->readiness_told) {
		assert_true(world_clock() < until);
		world_turn(world);
	}
	assert_false(world->ready);
	assert_string_equal(world->missing, "two");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_nobody_is_required),
		TEST(test_ready_when_all_required_are_there),
		TEST(test_short_absence_is_not_told),
		TEST(test_long_absence),
		TEST(test_never_there),
		TEST(test_one_of_two_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
