/* The breaker around a service. */
#include "world.h"

static void only_one(struct world *world)
{
	world->settings.services_len = 1;
	world->fakes[1].registration = NULL;
}

/* A service that answers nonsense is not asked for a while; one that is started anew is tried. */
static void test_breaker(void **state)
{
	struct world *world = *state;
	struct fake_service *fake = &world->fakes[0];
	struct asked asked;

	only_one(world);
	fake->reply = "{\"type\":\"reply\",\"id\":ID,\"verdict\":\"perhaps\"}\n";
	world_start(world);
	for (int i = 0; i < 25; i++) {
		asked_init(&asked, world);
		assert_false(asked_start(&asked));
		asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
		asked_fini(&asked);
	}
	assert_int_equal(fake_count(fake, "\"type\":\"request\""), 20);
	assert_int_equal(world_count_events(world, "class=bad_reply"), 20);
	assert_int_equal(world_count_events(world, "class=unavailable"), 5);
	assert_int_equal(world_count_events(world, "policy.breaker session=- policy=one state="),
			 1);
	assert_true(world_has_event(world, "policy=one state=open"));
	fake_hang_up(fake);
	fake->reply = FAKE_ACCEPT;
	world_wait(world, world_has_event(world, "policy=one state=half_open"));
	for (int i = 0; i < 3; i++) {
		assert_false(world_has_event(world, "policy=one state=closed"));
		asked_init(&asked, world);
		assert_false(asked_start(&asked));
		asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
		asked_fini(&asked);
	}
	assert_true(world_has_event(world, "policy=one state=closed"));
	assert_int_equal(world_count_events(world, "policy.breaker"), 3);
}

/* Clients that leave give their places back. */
static void test_breaker_and_clients_that_leave(void **state)
{
	struct world *world = *state;
	struct fake_service *fake = &world->fakes[0];
	struct asked asked[20];

	only_one(world);
	world->services[0].timeout = 0.2;
	fake->registration = "{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":{}},"
			     "\"window\":20}\n";
	fake->reply = NULL;
	world_start(world);
	for (int i = 0; i < 20; i++) {
		asked_init(&asked[i], world);
		asked_start(&asked[i]);
	}
	for (int i = 0; i < 20; i++) {
		asked_expect(&asked[i], VERDICT_TEMPFAIL, 451, "4.3.0", "one");
		asked_fini(&asked[i]);
	}
	assert_true(world_has_event(world, "policy=one state=open"));
	fake_hang_up(fake);
	world_wait(world, world_has_event(world, "policy=one state=half_open"));
	for (int i = 0; i < 10; i++) {
		asked_init(&asked[i], world);
		assert_false(asked_start(&asked[i]));
		policy_cancel(world->policy, asked[i].id);
		assert_int_equal(asked[i].verdicts, 0);
		asked_fini(&asked[i]);
	}
	assert_false(world_has_event(world, "class=unavailable"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_breaker),
		TEST(test_breaker_and_clients_that_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
