/* A service that delivers: nothing but its own word with a ref lets a message through. */
#include "world.h"

#include <string.h>

#include "protocol/handshake.h"

#define REQUEST	      "\"type\":\"request\""
#define REF	      "\"verdict\":\"accept\",\"ref\":\"box/7\""
#define VERDICT(word) FAKE_REPLY("\"verdict\":\"" word "\"")

static int set_up(void **state)
{
	struct world *world;

	if (world_set_up(state))
		return -1;
	world = *state;
	world->services[1].delivers = true;
	/* Whatever the operator wants of failures: see each test. */
	world_on_failure(world, 1, VERDICT_ACCEPT);
	return 0;
}

static void prepare(struct asked *asked, struct world *world, enum hook hook)
{
	asked_init(asked, world);
	asked->request.hook = hook;
	asked->message.data = "Hi\r\n";
	asked->message.size = 4;
	asked->request.message = &asked->message;
}

/* Asks both at `hook` and waits. */
static void ask(struct asked *asked, struct world *world, enum hook hook, const char *one,
		const char *two)
{
	world->fakes[0].reply = one;
	world->fakes[1].reply = two;
	prepare(asked, world, hook);
	assert_false(asked_start(asked));
	world_wait(world, asked->verdicts);
}

static void expect(struct asked *asked, enum verdict_kind kind, const char *ref)
{
	assert_string_equal(verdict_word(asked->verdict.kind), verdict_word(kind));
	assert_string_equal(asked->verdict.ref, ref);
	asked_fini(asked);
}

static void expect_failure(struct asked *asked, const char *class)
{
	assert_string_equal(asked->verdict.reason, class);
	assert_string_equal(asked->verdict.ref, "");
	asked_expect(asked, VERDICT_TEMPFAIL, 451, "4.3.0", "two");
	asked_fini(asked);
}

static size_t asked_two(struct world *world)
{
	return fake_count(&world->fakes[1], REQUEST);
}

static void test_the_verdict_has_its_ref(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[1].grants = 1u << HANDSHAKE_GRANT_BYPASS;
	world_start(world);
	assert_non_null(fake_line(&world->fakes[1], "\"delivers\":true", 0));
	assert_null(fake_line(&world->fakes[0], "\"delivers\"", 0));
	ask(&asked, world, HOOK_MESSAGE, FAKE_ACCEPT, FAKE_REPLY(REF ",\"text\":\"Taken\""));
	assert_string_equal(asked.verdict.text, "Taken");
	expect(&asked, VERDICT_ACCEPT, "box/7");
	ask(&asked, world, HOOK_MESSAGE, FAKE_ACCEPT,
	    FAKE_REPLY("\"verdict\":\"quarantine\",\"ref\":\"held/7\""));
	expect(&asked, VERDICT_QUARANTINE, "held/7");
	ask(&asked, world, HOOK_MESSAGE, VERDICT("quarantine"),
	    FAKE_REPLY("\"verdict\":\"bypass\",\"ref\":\"box/8\""));
	expect(&asked, VERDICT_QUARANTINE, "box/8");
}

static void test_accept_needs_a_ref(void **state)
{
	static const char *const replies[] = {
		FAKE_ACCEPT,
		VERDICT("quarantine"),
		VERDICT("bypass"),
		FAKE_REPLY("\"verdict\":\"accept\",\"edits\":[{\"edit\":\"delete_header\","
			   "\"name\":\"X\"}]"),
	};
	struct world *world = *state;
	struct asked asked;

	world->services[1].grants = 1u << HANDSHAKE_GRANT_BYPASS;
	world_start(world);
	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		ask(&asked, world, HOOK_MESSAGE, FAKE_ACCEPT, replies[i]);
		assert_int_equal(asked.edits_made, 0);
		expect_failure(&asked, "bad_reply");
		world_wait(world, fake_count(&world->fakes[1],
					     "\"code\":\"bad_reply\",\"message\":\"this policy "
					     "delivers: its accept needs ref\"") == i + 1);
	}
	assert_true(world_has_event(world, "policy=two hook=message class=bad_reply"));
}

static void test_refusals_and_discard_need_none(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_start(world);
	ask(&asked, world, HOOK_MESSAGE, FAKE_ACCEPT, VERDICT("reject"));
	expect(&asked, VERDICT_REJECT, "");
	ask(&asked, world, HOOK_MESSAGE, FAKE_ACCEPT, VERDICT("tempfail"));
	expect(&asked, VERDICT_TEMPFAIL, "");
	ask(&asked, world, HOOK_MESSAGE, FAKE_ACCEPT, VERDICT("discard"));
	expect(&asked, VERDICT_DISCARD, "");
	ask(&asked, world, HOOK_RCPT, FAKE_ACCEPT, FAKE_ACCEPT);
	expect(&asked, VERDICT_ACCEPT, "");
}

/* There is no other delivery that would hold it. */
static void test_it_is_told_to_hold(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[0].actions[HOOK_MESSAGE][FAILURE_TIMEOUT] = VERDICT_QUARANTINE;
	world->services[0].timeout = 0.1;
	world_start(world);
	ask(&asked, world, HOOK_MESSAGE, FAKE_ACCEPT, FAKE_REPLY(REF));
	expect(&asked, VERDICT_ACCEPT, "box/7");
	assert_null(fake_line(&world->fakes[1], "\"quarantine\":true", 0));
	ask(&asked, world, HOOK_MESSAGE, VERDICT("quarantine"), FAKE_REPLY(REF));
	expect(&asked, VERDICT_QUARANTINE, "box/7");
	assert_int_equal(fake_count(&world->fakes[1], "\"quarantine\":true}"), 1);
	ask(&asked, world, HOOK_MESSAGE, NULL, FAKE_REPLY(REF));
	expect(&asked, VERDICT_QUARANTINE, "box/7");
	assert_int_equal(fake_count(&world->fakes[1], "\"quarantine\":true}"), 2);
	assert_null(fake_line(&world->fakes[0], "\"quarantine\":true", 0));
}

static void test_what_was_refused_does_not_come_to_it(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_start(world);
	ask(&asked, world, HOOK_MESSAGE, VERDICT("reject"), FAKE_REPLY(REF));
	expect(&asked, VERDICT_REJECT, "");
	ask(&asked, world, HOOK_MESSAGE, VERDICT("discard"), FAKE_REPLY(REF));
	expect(&asked, VERDICT_DISCARD, "");
	assert_int_equal(asked_two(world), 0);
}

static void test_ref_of_another_service_means_nothing(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[1].delivers = false;
	world_start(world);
	ask(&asked, world, HOOK_MESSAGE, FAKE_REPLY(REF), FAKE_REPLY(REF));
	expect(&asked, VERDICT_ACCEPT, "");
	ask(&asked, world, HOOK_RCPT, FAKE_REPLY(REF), FAKE_ACCEPT);
	assert_string_equal(asked.verdict.reason, "bad_reply");
	expect(&asked, VERDICT_TEMPFAIL, "");
}

static void test_bypass_does_not_skip_it(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[0].grants = 1u << HANDSHAKE_GRANT_BYPASS;
	world_start(world);
	ask(&asked, world, HOOK_MESSAGE, VERDICT("bypass"), FAKE_REPLY(REF));
	expect(&asked, VERDICT_ACCEPT, "box/7");
	ask(&asked, world, HOOK_MESSAGE, VERDICT("bypass"), VERDICT("reject"));
	expect(&asked, VERDICT_REJECT, "");
	ask(&asked, world, HOOK_RCPT, VERDICT("bypass"), VERDICT("reject"));
	expect(&asked, VERDICT_REJECT, "");
	assert_int_equal(asked_two(world), 3);
}

/* Its own, or one of the service before it. */
static void test_no_answer_stands_for_the_message(void **state)
{
	static const size_t chain[] = {0, 1};
	struct world *world = *state;
	struct policy_memory *memory = policy_memory_new(chain, 2);
	struct asked asked;

	world->services[0].grants = 1u << HANDSHAKE_GRANT_BYPASS;
	world->fakes[0].reply = FAKE_REPLY("\"verdict\":\"bypass\",\"until\":\"session\"");
	world->fakes[1].reply = FAKE_REPLY("\"verdict\":\"accept\",\"until\":\"session\"");
	world_start(world);
	prepare(&asked, world, HOOK_RCPT);
	asked.memory = memory;
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
	world->fakes[1].reply = FAKE_REPLY(REF ",\"until\":\"session\"");
	for (size_t i = 0; i < 2; i++) {
		prepare(&asked, world, HOOK_MESSAGE);
		asked.memory = memory;
		assert_false(asked_start(&asked));
		world_wait(world, asked.verdicts);
		expect(&asked, VERDICT_ACCEPT, "box/7");
	}
	/* At other hooks it stands. */
	prepare(&asked, world, HOOK_RCPT);
	asked.memory = memory;
	assert_true(asked_start(&asked));
	asked_fini(&asked);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 1);
	assert_int_equal(asked_two(world), 3);
	policy_memory_free(&memory);
}

static void test_not_registered_is_a_failure(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->fakes[0].registration = world->fakes[1].registration =
		"{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":{}}}\n";
	world_start(world);
	ask(&asked, world, HOOK_MESSAGE, FAKE_ACCEPT, FAKE_REPLY(REF));
	expect_failure(&asked, "unavailable");
	assert_int_equal(asked_two(world), 0);
}

static void test_never_seen_is_a_failure(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[1].hooks = ~(1u << HOOK_MESSAGE);
	world_start_alone(world);
	world_on_failure(world, 0, VERDICT_ACCEPT);
	ask(&asked, world, HOOK_MESSAGE, NULL, NULL);
	expect_failure(&asked, "unavailable");
}

/* At the hooks where nothing is delivered the operator's choice counts. */
static void test_silence_is_a_failure(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[1].timeout = 0.1;
	world_start(world);
	ask(&asked, world, HOOK_MESSAGE, FAKE_ACCEPT, NULL);
	expect_failure(&asked, "timeout");
	ask(&asked, world, HOOK_RCPT, FAKE_ACCEPT, NULL);
	expect(&asked, VERDICT_ACCEPT, "");
}

static void test_lost_is_a_failure(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_start(world);
	world->fakes[1].reply = NULL;
	prepare(&asked, world, HOOK_MESSAGE);
	assert_false(asked_start(&asked));
	world_wait(world, asked_two(world) == 1);
	fake_hang_up(&world->fakes[1]);
	world_wait(world, asked_two(world) == 2);
	/* The same message, and it is told so. */
	assert_non_null(
		fake_line(&world->fakes[1], "\"key\":\"" WORLD_TRANSACTION ".message.two\"", 1));
	assert_non_null(fake_line(&world->fakes[1], "\"attempt\":2", 0));
	fake_stop(&world->fakes[1]);
	world_wait(world, asked.verdicts);
	expect_failure(&asked, "lost");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_the_verdict_has_its_ref),
		TEST(test_accept_needs_a_ref),
		TEST(test_refusals_and_discard_need_none),
		TEST(test_it_is_told_to_hold),
		TEST(test_what_was_refused_does_not_come_to_it),
		TEST(test_ref_of_another_service_means_nothing),
		TEST(test_bypass_does_not_skip_it),
		TEST(test_no_answer_stands_for_the_message),
		TEST(test_not_registered_is_a_failure),
		TEST(test_never_seen_is_a_failure),
		TEST(test_silence_is_a_failure),
		TEST(test_lost_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
