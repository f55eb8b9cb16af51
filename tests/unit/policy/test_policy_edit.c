/* Edits are made when the answer is taken in, and what cannot be made is no answer. */
#include "world.h"

#include <string.h>

#define REQUEST "\"type\":\"request\""

#define EDITS                                                                                      \
	FAKE_REPLY(                                                                                \
		"\"verdict\":\"accept\",\"edits\":[{\"edit\":\"delete_header\",\"name\":\"X\"},"   \
		"{\"edit\":\"set_sender\",\"address\":\"\"}]")

static void message_init(struct asked *asked, struct world *world)
{
	asked_init(asked, world);
	asked->request.hook = HOOK_MESSAGE;
	asked->request.message = &asked->message;
	asked->message = (struct hook_message){.size = 3, .data = "a\r\n", .headers = ""};
	asked->path = "a/01FILE";
}

static void test_edits_are_made_once(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->fakes[0].reply = EDITS;
	world_start(world);
	message_init(&asked, world);
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	assert_int_equal(asked.edits_made, 1);
	assert_true(world_has_event(world, "policy=one hook=message verdict=accept edits=2 ms="));
	assert_int_equal(world_count_events(world, "edits="), 1);
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 1);
	asked_fini(&asked);
}

/* Its file was of the message before. */
static void test_next_service_gets_the_edited_file(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->fakes[0].registration = world->fakes[1].registration =
		"{\"type\":\"register\",\"version\":1,\"hooks\":{\"message\":{}},"
		"\"body\":[\"path\"]}\n";
	world->fakes[0].reply = EDITS;
	world_start(world);
	message_init(&asked, world);
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	assert_int_equal(asked.paths_made, 2);
	asked_fini(&asked);
}

static void test_edits_that_cannot_be_made(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_on_failure(world, 0, VERDICT_ACCEPT);
	world->fakes[0].reply = EDITS;
	world_start(world);
	message_init(&asked, world);
	asked.edit_problem = "recipient 7 is not there";
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	asked_fini(&asked);
	world_wait(world, fake_count(&world->fakes[0], "recipient 7 is not there"));
	assert_non_null(
		fake_line(&world->fakes[0], "\"fatal\":false,\"id\":1,\"code\":\"bad_reply\"", 0));
	assert_true(world_has_event(world, "policy.bad_reply session=" WORLD_SESSION
					   " policy=one code=bad_reply message=recipient 7"));
	assert_true(world_has_event(world, "class=bad_reply action=tempfail"));
	assert_false(world_has_event(world, "policy.decision"));
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 0);
}

static void test_edits_that_the_hook_does_not_allow(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->fakes[0].reply = EDITS;
	world_start(world);
	asked_init(&asked, world);
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_int_equal(asked.edits_made, 0);
	assert_true(world_has_event(world, "class=bad_reply"));
	asked_fini(&asked);
}

/* Nobody waits for the message any more: nothing is done to it. */
static void test_edits_that_come_late(void **state)
{
	struct world *world = *state;
	struct asked asked, other;

	world->fakes[0].reply = NULL;
	world_start(world);
	message_init(&asked, world);
	assert_false(asked_start(&asked));
	world_wait(world, fake_id(&world->fakes[0], 0));
	policy_cancel(world->policy, asked.id);
	fake_answer(&world->fakes[0], EDITS, fake_id(&world->fakes[0], 0));
	world->fakes[0].reply = FAKE_ACCEPT;
	message_init(&other, world);
	assert_false(asked_start(&other));
	asked_expect(&other, VERDICT_ACCEPT, 0, NULL, "");
	assert_int_equal(asked.edits_made, 0);
	asked_fini(&other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_edits_are_made_once),	      TEST(test_next_service_gets_the_edited_file),
		TEST(test_edits_that_cannot_be_made), TEST(test_edits_that_the_hook_does_not_allow),
		TEST(test_edits_that_come_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
