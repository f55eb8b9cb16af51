/* Time and place: progress, window, the age of the queue. */
#include "world.h"

#include <string.h>

#define REQUEST "\"type\":\"request\""
#define CANCEL	"\"type\":\"cancel\""
#define ERROR	"\"type\":\"error\""

#define PROGRESS(ms) "{\"type\":\"progress\",\"id\":ID,\"extend_ms\":" ms "}\n"
#define WINDOW(n)    "{\"type\":\"window\",\"n\":" n "}\n"

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

static void say(struct world *world, const char *text)
{
	fake_send(&world->fakes[0], text, strlen(text));
}

/* What was said before is taken in. */
static void wait_for_pong(struct world *world)
{
	size_t before = fake_count(&world->fakes[0], "\"type\":\"pong\"");

	say(world, "{\"type\":\"ping\"}\n");
	world_wait(world, fake_count(&world->fakes[0], "\"type\":\"pong\"") > before);
}

static void wait_until(struct world *world, double time)
{
	world_wait(world, world_clock() > time);
}

/* --- progress --- */

static void test_progress_moves_the_deadline(void **state)
{
	struct world *world = *state;
	struct asked asked;
	double start;

	world->services[0].timeout = 1;
	world->services[0].timeout_max = 60;
	start_one(world);
	assert_non_null(fake_line(&world->fakes[0], "\"deadline_ms\":1000,\"extend_ms\":59000", 0));
	start = world_clock();
	ask_held(world, &asked);
	fake_answer(&world->fakes[0], PROGRESS("30000"), fake_id(&world->fakes[0], 0));
	wait_until(world, start + 1.5);
	assert_int_equal(asked.verdicts, 0);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], 0));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
}

static void test_progress_does_not_shorten(void **state)
{
	struct world *world = *state;
	struct asked asked;
	double start;

	world->services[0].timeout = 1;
	world->services[0].timeout_max = 60;
	start_one(world);
	start = world_clock();
	ask_held(world, &asked);
	fake_answer(&world->fakes[0], PROGRESS("1"), fake_id(&world->fakes[0], 0));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_true(world_clock() - start >= 0.99);
	asked_fini(&asked);
}

static void test_progress_ends_at_timeout_max(void **state)
{
	struct world *world = *state;
	struct asked asked;
	double start;

	world->services[0].timeout = 1;
	world->services[0].timeout_max = 1.5;
	start_one(world);
	start = world_clock();
	ask_held(world, &asked);
	for (int i = 0; i < 3; i++)
		fake_answer(&world->fakes[0], PROGRESS("60000"), fake_id(&world->fakes[0], 0));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_true(world_clock() - start >= 1.49);
	assert_true(world_has_event(world, "class=timeout"));
	asked_fini(&asked);
}

static void test_progress_where_there_is_none(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[0].timeout = 0.5;
	start_one(world);
	assert_null(fake_line(&world->fakes[0], "\"extend_ms\"", 0));
	ask_held(world, &asked);
	fake_answer(&world->fakes[0], PROGRESS("3600000"), fake_id(&world->fakes[0], 0));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	asked_fini(&asked);
}

static void test_progress_of_nothing_is_late(void **state)
{
	struct world *world = *state;

	start_one(world);
	fake_answer(&world->fakes[0], PROGRESS("1000"), 77);
	wait_for_pong(world);
	assert_int_equal(fake_count(&world->fakes[0], ERROR), 0);
	fake_stop(&world->fakes[0]);
	world_wait(world, world_has_event(world, "state=unavailable service=fake software=fake/1 "
						 "message=closed by the peer late=1\n"));
}

static void test_bad_progress_is_told_and_changes_nothing(void **state)
{
	struct world *world = *state;
	struct asked asked;

	start_one(world);
	ask_held(world, &asked);
	fake_answer(&world->fakes[0], PROGRESS("0"), fake_id(&world->fakes[0], 0));
	fake_answer(&world->fakes[0], PROGRESS("3600001"), fake_id(&world->fakes[0], 0));
	world_wait(world, fake_count(&world->fakes[0], "\"fatal\":false,\"id\":1,"
						       "\"code\":\"bad_message\"") == 2);
	assert_int_equal(asked.verdicts, 0);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], 0));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
}

/* --- window --- */

static void test_window_of_0_pauses(void **state)
{
	struct world *world = *state;
	struct asked asked;

	start_one(world);
	say(world, WINDOW("0"));
	wait_for_pong(world);
	asked_init(&asked, world);
	assert_false(asked_start(&asked));
	for (int i = 0; i < 5; i++)
		world_turn(world);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 0);
	say(world, WINDOW("1"));
	world_wait(world, fake_count(&world->fakes[0], REQUEST) == 1);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], 0));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
}

/* What is open stays open; the next one waits until less is open than the window. */
static void test_window_below_what_is_open(void **state)
{
	struct world *world = *state;
	struct asked open[3], next;

	start_one(world);
	for (size_t i = 0; i < 3; i++)
		ask_held(world, &open[i]);
	say(world, WINDOW("2"));
	wait_for_pong(world);
	asked_init(&next, world);
	assert_false(asked_start(&next));
	for (size_t i = 0; i < 3; i++) {
		for (int j = 0; j < 3; j++)
			world_turn(world);
		assert_int_equal(fake_count(&world->fakes[0], REQUEST), i < 2 ? 3 : 4);
		fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], i));
		asked_expect(&open[i], VERDICT_ACCEPT, 0, NULL, "");
		asked_fini(&open[i]);
	}
	world_wait(world, fake_count(&world->fakes[0], REQUEST) == 4);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], 3));
	asked_expect(&next, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&next);
}

/* Its window is 4. The next connection begins with the registered one. */
static void test_window_beyond_the_registered_one(void **state)
{
	struct world *world = *state;
	struct asked asked[5];

	start_one(world);
	say(world, WINDOW("5"));
	for (size_t i = 0; i < 5; i++)
		ask_held(world, &asked[i]);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 5);
	fake_hang_up(&world->fakes[0]);
	world_wait(world, fake_count(&world->fakes[0], REQUEST) == 9);
	for (int i = 0; i < 3; i++)
		world_turn(world);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 9);
	for (size_t i = 0; i < 5; i++)
		policy_cancel(world->policy, asked[i].id);
}

/* --- the age of the queue --- */

static void test_half_of_its_time_in_the_queue(void **state)
{
	struct world *world = *state;
	struct asked held, waiting;
	double start;

	world->services[0].timeout = 60;
	start_one(world);
	ask_held(world, &held);
	say(world, WINDOW("1"));
	wait_for_pong(world);
	world->services[0].timeout = 1;
	asked_init(&waiting, world);
	start = world_clock();
	assert_false(asked_start(&waiting));
	asked_expect(&waiting, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_true(world_clock() - start >= 0.49);
	assert_true(world_has_event(world, "class=overload action=tempfail"));
	assert_int_equal(fake_count(&world->fakes[0], CANCEL), 0);
	policy_cancel(world->policy, held.id);
	asked_fini(&waiting);
}

/* Once it is with the service, it has all of its time. */
static void test_half_of_its_time_with_the_service(void **state)
{
	struct world *world = *state;
	struct asked asked;
	double start;

	world->services[0].timeout = 2;
	start_one(world);
	start = world_clock();
	ask_held(world, &asked);
	wait_until(world, start + 1.2);
	assert_int_equal(asked.verdicts, 0);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], 0));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
}

/* The other socket of the service is full when the connection is lost. */
static void test_second_attempt_may_wait_longer(void **state)
{
	struct world *world = *state;
	struct fake_service *other = &world->fakes[1];
	struct asked asked, held;
	double start;

	world->settings.services_len = 1;
	world->services[0].sockets_len = 2;
	world->services[0].timeout = 2.4;
	world->fakes[0].registration = other->registration =
		"{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":{}},\"window\":1}\n";
	world->fakes[0].reply = other->reply = NULL;
	fake_listen(&world->fakes[0]);
	fake_listen(other);
	world_start_alone(world);
	world_wait(world, fake_count(&world->fakes[0], "\"type\":\"ready\"") &&
				  fake_count(other, "\"type\":\"ready\""));
	start = world_clock();
	asked_init(&asked, world);
	assert_false(asked_start(&asked));
	world->services[0].timeout = 60;
	asked_init(&held, world);
	assert_false(asked_start(&held));
	world_wait(world, fake_id(&world->fakes[0], 0) && fake_id(other, 0));
	fake_stop(&world->fakes[0]);
	/* Half of its 2.4 s are over. */
	world->services[0].timeout = 2.4;
	wait_until(world, start + 1.4);
	assert_int_equal(asked.verdicts, 0);
	fake_answer(other, FAKE_ACCEPT, fake_id(other, 0));
	world_wait(world, fake_id(other, 1));
	fake_answer(other, FAKE_ACCEPT, fake_id(other, 1));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_expect(&held, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
	asked_fini(&held);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_progress_moves_the_deadline),
		TEST(test_progress_does_not_shorten),
		TEST(test_progress_ends_at_timeout_max),
		TEST(test_progress_where_there_is_none),
		TEST(test_progress_of_nothing_is_late),
		TEST(test_bad_progress_is_told_and_changes_nothing),
		TEST(test_window_of_0_pauses),
		TEST(test_window_below_what_is_open),
		TEST(test_window_beyond_the_registered_one),
		TEST(test_half_of_its_time_in_the_queue),
		TEST(test_half_of_its_time_with_the_service),
		TEST(test_second_attempt_may_wait_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
