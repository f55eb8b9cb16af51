/* Which connection is asked, the queue, and services that are not there. */
#include "world.h"

#include <string.h>

#include "base/mem.h"

#define REQUEST "\"type\":\"request\""

#define REGISTER(hooks, window)                                                                    \
	"{\"type\":\"register\",\"version\":1,\"hooks\":{" hooks "},\"window\":" window "}\n"

static void only_one(struct world *world)
{
	world->settings.services_len = 1;
	world->fakes[1].registration = NULL;
}

/* Both sockets belong to service "one". */
static void two_sockets(struct world *world)
{
	world->settings.services_len = 1;
	world->services[0].sockets_len = 2;
	for (size_t i = 0; i < 2; i++)
		if (world->fakes[i].registration)
			fake_listen(&world->fakes[i]);
	world_start_alone(world);
	for (size_t i = 0; i < 2; i++)
		if (world->fakes[i].registration)
			world_wait(world, fake_count(&world->fakes[i], "\"type\":\"ready\""));
}

static void turns(struct world *world, int n)
{
	while (n--)
		world_turn(world);
}

static void test_never_registered_fails_everywhere(void **state)
{
	struct world *world = *state;
	struct asked asked;

	only_one(world);
	world_start_alone(world);
	for (enum hook hook = 0; hook < HOOK_DISCONNECT; hook++) {
		asked_init(&asked, world);
		asked.request.hook = hook;
		assert_false(asked_start(&asked));
		world_wait(world, asked.verdicts);
		assert_int_equal(asked.verdict.kind, VERDICT_TEMPFAIL);
		asked_fini(&asked);
	}
	assert_int_equal(world_count_events(world, "class=unavailable action=tempfail"),
			 HOOK_DISCONNECT);
}

static void test_never_registered_but_configured(void **state)
{
	struct world *world = *state;
	struct asked asked;

	only_one(world);
	world->services[0].hooks = 1u << HOOK_RCPT;
	world_start_alone(world);
	asked_init(&asked, world);
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	asked_fini(&asked);
	asked_init(&asked, world);
	asked.request.hook = HOOK_MAIL;
	assert_true(asked_start(&asked));
	asked_fini(&asked);
}

static void test_known_hooks_stay_known(void **state)
{
	struct world *world = *state;
	struct asked asked;

	only_one(world);
	world_start(world);
	fake_stop(&world->fakes[0]);
	world_wait(world, !policy_is_connected(world->policy));
	asked_init(&asked, world);
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	asked_fini(&asked);
	asked_init(&asked, world);
	asked.request.hook = HOOK_DATA;
	assert_true(asked_start(&asked));
	asked_fini(&asked);
}

static void test_window_of_one(void **state)
{
	struct world *world = *state;
	struct asked asked[10];
	size_t done = 0;

	only_one(world);
	world->fakes[0].registration = REGISTER("\"rcpt\":{}", "1");
	world->fakes[0].reply = NULL;
	world_start(world);
	for (size_t i = 0; i < 10; i++) {
		asked_init(&asked[i], world);
		asked[i].request.index = (unsigned)i + 1;
		assert_false(asked_start(&asked[i]));
	}
	for (size_t i = 0; i < 10; i++) {
		char key[64];

		world_wait(world, fake_count(&world->fakes[0], REQUEST) > i);
		turns(world, 2);
		assert_int_equal(fake_count(&world->fakes[0], REQUEST), i + 1);
		snprintf(key, sizeof key, ".rcpt.%zu.one\"", i + 1);
		assert_non_null(strstr(fake_line(&world->fakes[0], REQUEST, i), key));
		assert_int_equal(asked[i].verdicts, 0);
		fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], i));
		world_wait(world, asked[i].verdicts);
		done++;
	}
	assert_int_equal(done, 10);
	for (size_t i = 0; i < 10; i++)
		asked_fini(&asked[i]);
}

static void test_queue_keeps_the_order_of_hooks(void **state)
{
	static const enum hook hooks[] = {HOOK_RCPT, HOOK_RCPT, HOOK_MAIL, HOOK_RCPT};
	static const char *const words[] = {"rcpt", "rcpt", "mail", "rcpt"};
	struct world *world = *state;
	struct asked asked[4];

	only_one(world);
	world->fakes[0].registration = REGISTER("\"rcpt\":{},\"mail\":{}", "1");
	world->fakes[0].reply = NULL;
	world_start(world);
	for (size_t i = 0; i < 4; i++) {
		asked_init(&asked[i], world);
		asked[i].request.hook = hooks[i];
		asked_start(&asked[i]);
	}
	for (size_t i = 0; i < 4; i++) {
		char hook[32];

		world_wait(world, fake_count(&world->fakes[0], REQUEST) > i);
		snprintf(hook, sizeof hook, "\"hook\":\"%s\"", words[i]);
		assert_non_null(strstr(fake_line(&world->fakes[0], REQUEST, i), hook));
		fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], i));
		asked_expect(&asked[i], VERDICT_ACCEPT, 0, NULL, "");
		asked_fini(&asked[i]);
	}
}

/* The place of a question that is too late stays taken until its reply comes. */
static void test_owed_reply_keeps_its_place(void **state)
{
	struct world *world = *state;
	struct asked first, second;

	only_one(world);
	world->services[0].timeout = 0.2;
	world->fakes[0].registration = REGISTER("\"rcpt\":{}", "1");
	world->fakes[0].reply = NULL;
	world_start(world);
	asked_init(&first, world);
	asked_start(&first);
	asked_expect(&first, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	world->services[0].timeout = 5;
	asked_init(&second, world);
	asked_start(&second);
	turns(world, 5);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 1);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], 0));
	world_wait(world, fake_count(&world->fakes[0], REQUEST) == 2);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], 1));
	asked_expect(&second, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&first);
	asked_fini(&second);
}

/* A question may expire, or be cancelled, or lose its service, while it still waits. */
static void test_ends_of_waiting(void **state)
{
	struct world *world = *state;
	struct asked held, late, gone, lost;

	only_one(world);
	world->fakes[0].registration = REGISTER("\"rcpt\":{}", "1");
	world->fakes[0].reply = NULL;
	world_start(world);
	asked_init(&held, world);
	asked_start(&held);
	world->services[0].timeout = 0.1;
	asked_init(&late, world);
	asked_start(&late);
	world->services[0].timeout = 5;
	asked_init(&gone, world);
	asked_start(&gone);
	asked_init(&lost, world);
	asked_start(&lost);
	policy_cancel(world->policy, gone.id);
	asked_expect(&late, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_int_equal(world_count_events(world, "class=overload"), 1);
	fake_stop(&world->fakes[0]);
	asked_expect(&held, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	asked_expect(&lost, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_int_equal(world_count_events(world, "class=lost"), 1);
	assert_int_equal(world_count_events(world, "class=unavailable"), 1);
	assert_int_equal(gone.verdicts, 0);
	assert_int_equal(fake_count(&world->fakes[0], "\"type\":\"cancel\""), 0);
	asked_fini(&held);
	asked_fini(&late);
	asked_fini(&lost);
}

static void test_overload(void **state)
{
	enum { WAITING = 4096, ALL = WAITING + 2 };
	struct world *world = *state;
	struct asked *asked = mem_new(ALL * sizeof *asked);

	only_one(world);
	world->fakes[0].registration = REGISTER("\"rcpt\":{}", "1");
	world->fakes[0].reply = NULL;
	world->services[0].timeout = 60;
	world_start(world);
	for (size_t i = 0; i < ALL; i++) {
		asked_init(&asked[i], world);
		assert_false(asked_start(&asked[i]));
	}
	asked_expect(&asked[ALL - 1], VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_int_equal(world_count_events(world, "class=overload"), 1);
	assert_int_equal(asked[ALL - 2].verdicts, 0);
	world->fakes[0].reply = FAKE_ACCEPT;
	world_wait(world, fake_id(&world->fakes[0], 0));
	fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], 0));
	for (size_t i = 0; i < ALL - 1; i++) {
		asked_expect(&asked[i], VERDICT_ACCEPT, 0, NULL, "");
		asked_fini(&asked[i]);
	}
	asked_fini(&asked[ALL - 1]);
	free(asked);
}

static void test_idlest_connection(void **state)
{
	struct world *world = *state;
	struct asked asked[9];

	world->fakes[0].registration = REGISTER("\"rcpt\":{}", "2");
	world->fakes[1].registration = REGISTER("\"rcpt\":{}", "6");
	world->fakes[0].reply = world->fakes[1].reply = NULL;
	two_sockets(world);
	for (size_t i = 0; i < 9; i++) {
		asked_init(&asked[i], world);
		asked_start(&asked[i]);
		if (i == 3) {
			turns(world, 3);
			assert_int_equal(fake_count(&world->fakes[0], REQUEST), 1);
			assert_int_equal(fake_count(&world->fakes[1], REQUEST), 3);
		}
	}
	turns(world, 3);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 2);
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 6);
	for (size_t i = 0; i < 9; i++)
		policy_cancel(world->policy, asked[i].id);
}

/* A full connection does not hold up questions that another one takes. */
static void test_sockets_with_different_hooks(void **state)
{
	struct world *world = *state;
	struct asked rcpt[3], mail;

	world->fakes[0].registration = REGISTER("\"rcpt\":{}", "1");
	world->fakes[1].registration = REGISTER("\"mail\":{}", "1");
	world->fakes[0].reply = NULL;
	two_sockets(world);
	for (size_t i = 0; i < 3; i++) {
		asked_init(&rcpt[i], world);
		asked_start(&rcpt[i]);
	}
	asked_init(&mail, world);
	mail.request.hook = HOOK_MAIL;
	asked_start(&mail);
	asked_expect(&mail, VERDICT_ACCEPT, 0, NULL, "");
	assert_int_equal(rcpt[0].verdicts, 0);
	asked_fini(&mail);
	for (size_t i = 0; i < 3; i++)
		policy_cancel(world->policy, rcpt[i].id);
	/* That the process for a hook has died is no reason to go without its checks. */
	fake_stop(&world->fakes[1]);
	world_wait(world, world_has_event(world, "state=unavailable"));
	asked_init(&mail, world);
	mail.request.hook = HOOK_MAIL;
	assert_false(asked_start(&mail));
	asked_expect(&mail, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	asked_fini(&mail);
}

static void test_queue_moves_to_another_socket(void **state)
{
	struct world *world = *state;
	struct asked asked[4];

	world->fakes[0].registration = REGISTER("\"rcpt\":{}", "1");
	world->fakes[1].registration = REGISTER("\"rcpt\":{}", "1");
	world->fakes[0].reply = world->fakes[1].reply = NULL;
	two_sockets(world);
	for (size_t i = 0; i < 4; i++) {
		asked_init(&asked[i], world);
		asked_start(&asked[i]);
	}
	world_wait(world, fake_id(&world->fakes[0], 0) && fake_id(&world->fakes[1], 0));
	world->fakes[1].reply = FAKE_ACCEPT;
	fake_stop(&world->fakes[0]);
	fake_answer(&world->fakes[1], FAKE_ACCEPT, fake_id(&world->fakes[1], 0));
	for (size_t i = 0; i < 4; i++)
		asked_expect(&asked[i], VERDICT_ACCEPT, 0, NULL, "");
	assert_int_equal(fake_count(&world->fakes[1], "\"attempt\":2,"), 1);
	for (size_t i = 0; i < 4; i++)
		asked_fini(&asked[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_never_registered_fails_everywhere),
		TEST(test_never_registered_but_configured),
		TEST(test_known_hooks_stay_known),
		TEST(test_window_of_one),
		TEST(test_queue_keeps_the_order_of_hooks),
		TEST(test_owed_reply_keeps_its_place),
		TEST(test_ends_of_waiting),
		TEST(test_overload),
		TEST(test_idlest_connection),
		TEST(test_sockets_with_different_hooks),
		TEST(test_queue_moves_to_another_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
