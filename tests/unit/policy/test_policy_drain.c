/* A service that goes away and is replaced: nobody notices. */
#include "world.h"

#include <string.h>
#include <sys/socket.h>

#define REQUEST "\"type\":\"request\""
#define DRAIN	"{\"type\":\"drain\"}\n"

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

static void drain(struct world *world)
{
	fake_send(&world->fakes[0], DRAIN, strlen(DRAIN));
}

static void wait_for_successor(struct world *world)
{
	world_wait(world, !policy_is_connected(world->policy));
	world_wait(world, policy_is_connected(world->policy));
}

static void say(struct fake_peer *peer, const char *text)
{
	assert_int_equal(send(peer->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void test_old_answers_and_new_is_asked(void **state)
{
	struct world *world = *state;
	struct fake_service *fake = &world->fakes[0];
	struct asked old, new;
	char reply[80];

	start_one(world);
	ask_held(world, &old);
	snprintf(reply, sizeof reply, "{\"type\":\"reply\",\"id\":%ld,\"verdict\":\"accept\"}\n",
		 fake_id(fake, 0));
	drain(world);
	wait_for_successor(world);
	assert_int_equal(fake->peers_len, 2);
	fake->reply = FAKE_ACCEPT; /* said to whoever asks: the newest connection alone is asked */
	asked_init(&new, world);
	asked_start(&new);
	asked_expect(&new, VERDICT_ACCEPT, 0, NULL, "");
	assert_int_equal(old.verdicts, 0);
	/* A second one says nothing new. */
	say(&fake->peers[0], DRAIN);
	say(&fake->peers[0], reply);
	asked_expect(&old, VERDICT_ACCEPT, 0, NULL, "");
	assert_false(world_has_event(world, "policy.failure"));
	assert_false(world_has_event(world, "state=unavailable"));
	assert_int_equal(fake->peers_len, 2);
	asked_fini(&old);
	asked_fini(&new);
}

/* Between the old process and the new one is a while without any. */
static void test_questions_wait_for_the_successor(void **state)
{
	struct world *world = *state;
	struct asked asked[3], other;

	start_one(world);
	drain(world);
	world_wait(world, !policy_is_connected(world->policy));
	fake_stop(&world->fakes[0]);
	for (size_t i = 0; i < 3; i++) {
		asked_init(&asked[i], world);
		assert_false(asked_start(&asked[i]));
	}
	/* What it registered is not forgotten meanwhile. */
	asked_init(&other, world);
	other.request.hook = HOOK_DATA;
	assert_true(asked_start(&other));
	world_wait(world, world_has_event(world, "state=unavailable"));
	assert_int_equal(asked[0].verdicts, 0);
	world->fakes[0].reply = FAKE_ACCEPT;
	fake_listen(&world->fakes[0]);
	for (size_t i = 0; i < 3; i++) {
		asked_expect(&asked[i], VERDICT_ACCEPT, 0, NULL, "");
		asked_fini(&asked[i]);
	}
	assert_false(world_has_event(world, "policy.failure"));
	asked_fini(&other);
}

static void test_no_successor(void **state)
{
	struct world *world = *state;
	struct asked asked;
	double until;

	world->services[0].timeout = 0.3;
	start_one(world);
	drain(world);
	world_wait(world, !policy_is_connected(world->policy));
	fake_stop(&world->fakes[0]);
	asked_init(&asked, world);
	asked_start(&asked);
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_true(world_has_event(world, "class=timeout"));
	asked_fini(&asked);
	until = world_clock() + 5;
	world_wait(world, world_clock() > until);
	asked_init(&asked, world);
	asked_start(&asked);
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_true(world_has_event(world, "class=unavailable"));
	asked_fini(&asked);
}

/* One that was drained and dies with open questions: they go to the successor. */
static void test_lost_while_drained(void **state)
{
	struct world *world = *state;
	struct fake_service *fake = &world->fakes[0];
	struct asked asked;

	start_one(world);
	ask_held(world, &asked);
	drain(world);
	wait_for_successor(world);
	shutdown(fake->peers[0].fd, SHUT_RDWR);
	world_wait(world, fake_count(fake, REQUEST) == 2);
	fake_answer(fake, FAKE_ACCEPT, fake_id(fake, 1));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	assert_false(world_has_event(world, "state=unavailable"));
	asked_fini(&asked);
}

/* A question that has been given more time is waited for. */
static void test_progress_while_drained(void **state)
{
	struct world *world = *state;
	struct fake_service *fake = &world->fakes[0];
	struct asked asked;
	char progress[80], reply[80];
	double until;

	world->services[0].timeout = 1;
	world->services[0].timeout_max = 60;
	start_one(world);
	ask_held(world, &asked);
	snprintf(progress, sizeof progress,
		 "{\"type\":\"progress\",\"id\":%ld,\"extend_ms\":30000}\n", fake_id(fake, 0));
	snprintf(reply, sizeof reply, "{\"type\":\"reply\",\"id\":%ld,\"verdict\":\"accept\"}\n",
		 fake_id(fake, 0));
	drain(world);
	say(&fake->peers[0], progress);
	until = world_clock() + 1.3;
	world_wait(world, world_clock() > until);
	assert_int_equal(asked.verdicts, 0);
	say(&fake->peers[0], reply);
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
}

/* A service that forgets to close would collect connections. */
static void test_never_closed(void **state)
{
	struct world *world = *state;

	world->services[0].timeout = 0.3;
	start_one(world);
	drain(world);
	wait_for_successor(world);
	world_wait(world, world->fakes[0].peers[0].fd < 0);
	assert_true(world->fakes[0].peers[1].fd >= 0);
	assert_true(policy_is_connected(world->policy));
}

static void test_drained_again_and_again(void **state)
{
	struct world *world = *state;
	double start;

	start_one(world);
	start = world_clock();
	for (int i = 0; i < 4; i++) {
		drain(world);
		wait_for_successor(world);
	}
	assert_true(world_clock() - start >= 0.75 * (0.1 + 0.2 + 0.4 + 0.8));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_old_answers_and_new_is_asked),
		TEST(test_questions_wait_for_the_successor),
		TEST(test_no_successor),
		TEST(test_lost_while_drained),
		TEST(test_progress_while_drained),
		TEST(test_never_closed),
		TEST(test_drained_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
