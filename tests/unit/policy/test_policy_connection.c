/* What a service may do wrong on a line, and the window. None of it becomes acceptance, and none of
 * it harms a session but by the service's own failure policy. */
#include "world.h"

#include <string.h>

#define REQUEST "\"type\":\"request\""
#define CANCEL	"\"type\":\"cancel\""
#define ERROR	"\"type\":\"error\""

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

static long last_id(struct world *world)
{
	return fake_id(&world->fakes[0], fake_count(&world->fakes[0], REQUEST) - 1);
}

static void expect_works(struct world *world)
{
	struct asked asked;

	ask_held(world, &asked);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, last_id(world));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
}

static void test_deadline(void **state)
{
	struct world *world = *state;
	struct asked asked;
	double asked_at, took;

	world->services[0].timeout = 0.2;
	start_one(world);
	asked_at = world_clock();
	ask_held(world, &asked);
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	took = world_clock() - asked_at;
	assert_true(took >= 0.19 && took < 5);
	assert_string_equal(asked.verdict.text, NEUTRAL);
	assert_true(world_has_event(world,
				    "policy.failure session=" WORLD_SESSION
				    " policy=one hook=rcpt class=timeout action=tempfail ms="));
	world_wait(world, fake_count(&world->fakes[0], CANCEL));
	assert_non_null(fake_line(&world->fakes[0], "\"why\":\"deadline\"", 0));
	/* The late reply is ignored, and is no fault. */
	fake_answer(&world->fakes[0], FAKE_ACCEPT, last_id(world));
	world->services[0].timeout = 5;
	expect_works(world);
	assert_false(world_has_event(world, "policy.bad_reply"));
	assert_int_equal(fake_count(&world->fakes[0], ERROR), 0);
	assert_int_equal(asked.verdicts, 1);
	asked_fini(&asked);
}

static void test_codes_of_tempfail(void **state)
{
	static const struct {
		enum hook hook;
		int code;
	} rows[] = {{HOOK_CONNECT, 421},
		    {HOOK_STARTTLS, 454},
		    {HOOK_SECURE, 451},
		    {HOOK_AUTH, 454},
		    {HOOK_DATA, 451}};
	struct world *world = *state;
	struct asked asked;

	world_start_alone(world);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		asked_init(&asked, world);
		asked.request.hook = rows[i].hook;
		asked.request.transaction = NULL;
		assert_false(asked_start(&asked));
		asked_expect(&asked, VERDICT_TEMPFAIL, rows[i].code, "4.3.0", "one");
		assert_string_equal(asked.verdict.text,
				    "Temporary policy failure, try again later (" WORLD_SESSION
				    ")");
		asked_fini(&asked);
	}
}

/* What cannot be followed ends the line; the next one works. */
static void expect_break(struct world *world, const char *text)
{
	struct asked asked;

	start_one(world);
	ask_held(world, &asked);
	fake_answer(&world->fakes[0], text, last_id(world));
	world_wait(world, fake_count(&world->fakes[0], REQUEST) == 2);
	fake_answer(&world->fakes[0], text, last_id(world));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	asked_fini(&asked);
	world_wait(world, fake_count(&world->fakes[0], "\"fatal\":true") == 2);
	assert_int_equal(world_count_events(world, "policy.bad_reply session=- policy=one"), 2);
	assert_int_equal(world_count_events(world, "class=bad_reply action=tempfail"), 1);
	world_wait(world, policy_is_connected(world->policy));
	expect_works(world);
}

static void test_garbage(void **state)
{
	expect_break(*state, "garbage\n");
}

static void test_no_object(void **state)
{
	expect_break(*state, "[]\n");
}

static void test_no_type(void **state)
{
	expect_break(*state, "{\"id\":ID,\"verdict\":\"accept\"}\n");
}

static void test_no_id(void **state)
{
	expect_break(*state, "{\"type\":\"reply\",\"verdict\":\"accept\"}\n");
}

static void test_two_ids(void **state)
{
	expect_break(*state, "{\"type\":\"reply\",\"id\":ID,\"id\":ID,\"verdict\":\"accept\"}\n");
}

static void test_half_an_object(void **state)
{
	expect_break(*state, "{\"type\":\"reply\",\"id\":ID,\"verdict\":\"accept\"\n");
}

static void test_unknown_and_duplicate_ids(void **state)
{
	struct world *world = *state;
	struct asked asked;
	long id;

	start_one(world);
	ask_held(world, &asked);
	id = last_id(world);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, id + 1);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, 0);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, 9007199254740991);
	world_wait(world, fake_count(&world->fakes[0], "\"code\":\"unknown_id\"") == 3);
	assert_int_equal(asked.verdicts, 0);
	fake_answer(&world->fakes[0], "{\"type\":\"reply\",\"id\":ID,\"verdict\":\"reject\"}\n",
		    id);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, id);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, id);
	asked_expect(&asked, VERDICT_REJECT, 0, NULL, "one");
	world_wait(world, fake_count(&world->fakes[0], "\"code\":\"unknown_id\"") == 5);
	assert_int_equal(fake_count(&world->fakes[0], "\"fatal\":false"), 5);
	assert_int_equal(world_count_events(world, "policy.bad_reply session=- policy=one "
						   "code=unknown_id"),
			 5);
	asked_fini(&asked);
	expect_works(world);
	assert_int_equal(world->fakes[0].peers_len, 1);
}

/* A reply that breaks a rule tempfails whatever the operator chose for failures. */
static void test_bad_reply(void **state)
{
	static const char *const rows[] = {
		"{\"type\":\"reply\",\"id\":ID,\"verdict\":\"accept\",\"text\":\"a\\r\\n250 b\"}\n",
		"{\"type\":\"reply\",\"id\":ID,\"verdict\":\"yes\"}\n",
		"{\"type\":\"reply\",\"id\":ID}\n",
		"{\"type\":\"reply\",\"id\":ID,\"verdict\":\"reject\",\"code\":250}\n",
		"{\"type\":\"reply\",\"id\":ID,\"verdict\":\"accept\",\"until\":\"noon\"}\n",
	};
	static const enum verdict_kind choices[] = {VERDICT_ACCEPT, VERDICT_REJECT,
						    VERDICT_DISCONNECT, VERDICT_TEMPFAIL};
	struct world *world = *state;
	struct asked asked;

	start_one(world);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		world_on_failure(world, 0, choices[i % 4]);
		ask_held(world, &asked);
		fake_answer(&world->fakes[0], rows[i], last_id(world));
		asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
		assert_string_equal(asked.verdict.text, NEUTRAL);
		world_wait(world, fake_count(&world->fakes[0], "\"code\":\"bad_reply\"") == i + 1);
		assert_int_equal(world_count_events(world, "class=bad_reply action=tempfail"),
				 i + 1);
		asked_fini(&asked);
	}
	assert_int_equal(fake_count(&world->fakes[0], "\"fatal\":false"), 5);
	assert_int_equal(world->fakes[0].peers_len, 1);
	expect_works(world);
}

static void test_unknown_type_is_ignored(void **state)
{
	struct world *world = *state;
	struct asked asked;

	start_one(world);
	ask_held(world, &asked);
	fake_answer(&world->fakes[0], "{\"type\":\"progress\",\"id\":ID}\n", last_id(world));
	fake_answer(&world->fakes[0], "\n  \n{\"type\":\"x_mine\"}\n", 0);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, last_id(world));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	assert_int_equal(fake_count(&world->fakes[0], ERROR), 0);
	asked_fini(&asked);
}

static void test_reply_in_pieces(void **state)
{
	static const char head[] = "{\"type\":\"reply\",\"id\":ID,";
	struct world *world = *state;
	struct asked asked;

	start_one(world);
	ask_held(world, &asked);
	fake_answer(&world->fakes[0], head, last_id(world));
	world_turn(world);
	world_turn(world);
	assert_int_equal(asked.verdicts, 0);
	fake_send(&world->fakes[0], "\"verdict\":\"accept\"}\n", 21);
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
}

/* Half a line and the end: not a reply. */
static void test_lost(void **state)
{
	struct world *world = *state;
	struct asked asked[3];

	start_one(world);
	for (size_t i = 0; i < 3; i++)
		ask_held(world, &asked[i]);
	fake_answer(&world->fakes[0], "{\"type\":\"reply\",\"id\":ID,\"verdict\":\"accept\"}",
		    last_id(world));
	fake_stop(&world->fakes[0]);
	for (size_t i = 0; i < 3; i++) {
		asked_expect(&asked[i], VERDICT_TEMPFAIL, 451, "4.3.0", "one");
		asked_fini(&asked[i]);
	}
	assert_int_equal(world_count_events(world, "class=lost action=tempfail"), 3);
	fake_listen(&world->fakes[0]);
	world_wait(world, policy_is_connected(world->policy));
	expect_works(world);
}

/* The sessions act while the questions of a lost line are being ended. */
static void test_lost_and_asked_anew(void **state)
{
	struct world *world = *state;
	struct asked asked[3], follower;

	start_one(world);
	for (size_t i = 0; i < 3; i++)
		ask_held(world, &asked[i]);
	asked_init(&follower, world);
	/* Whichever is first spares the middle one its verdict. */
	asked[0].rival = asked[2].rival = &asked[1];
	asked[0].follower = &follower;
	fake_hang_up(&world->fakes[0]);
	world_wait(world, fake_count(&world->fakes[0], REQUEST) == 6);
	fake_stop(&world->fakes[0]);
	asked_expect(&asked[0], VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	asked_expect(&asked[2], VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	asked_expect(&follower, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_int_equal(world_count_events(world, "class=unavailable"), 1);
	assert_int_equal(asked[1].verdicts, 0);
	for (size_t i = 0; i < 3; i++)
		asked_fini(&asked[i]);
	asked_fini(&follower);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_deadline),
		TEST(test_codes_of_tempfail),
		TEST(test_garbage),
		TEST(test_no_object),
		TEST(test_no_type),
		TEST(test_no_id),
		TEST(test_two_ids),
		TEST(test_half_an_object),
		TEST(test_unknown_and_duplicate_ids),
		TEST(test_bad_reply),
		TEST(test_unknown_type_is_ignored),
		TEST(test_reply_in_pieces),
		TEST(test_lost),
		TEST(test_lost_and_asked_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
