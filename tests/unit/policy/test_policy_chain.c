/* How the answers of a chain combine: accept < quarantine < discard and what refuses. */
#include "world.h"

#include <string.h>

#include "protocol/handshake.h"

#define REQUEST	      "\"type\":\"request\""
#define VERDICT(word) FAKE_REPLY("\"verdict\":\"" word "\"")

static void ask_both(struct world *world, const char *one, const char *two, struct asked *asked)
{
	world->fakes[0].reply = one;
	world->fakes[1].reply = two;
	asked_init(asked, world);
	assert_false(asked_start(asked));
	world_wait(world, asked->verdicts);
}

static void expect(struct asked *asked, enum verdict_kind kind, const char *text, const char *by)
{
	assert_string_equal(verdict_word(asked->verdict.kind), verdict_word(kind));
	assert_string_equal(asked->verdict.text ? asked->verdict.text : "", text);
	assert_string_equal(asked->by, by);
	asked_fini(asked);
}

static void test_quarantine_goes_on(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_start(world);
	ask_both(world, VERDICT("quarantine"), FAKE_ACCEPT, &asked);
	expect(&asked, VERDICT_QUARANTINE, "", "one");
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 1);
	assert_true(world_has_event(world, "policy=one hook=rcpt verdict=quarantine"));
}

static void test_a_later_service_raises(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_start(world);
	ask_both(world, FAKE_ACCEPT, VERDICT("quarantine"), &asked);
	expect(&asked, VERDICT_QUARANTINE, "", "two");
	ask_both(world, VERDICT("quarantine"), VERDICT("discard"), &asked);
	expect(&asked, VERDICT_DISCARD, "", "two");
	ask_both(world, VERDICT("quarantine"), VERDICT("tempfail"), &asked);
	expect(&asked, VERDICT_TEMPFAIL, "", "two");
	ask_both(world, VERDICT("quarantine"), VERDICT("reject"), &asked);
	expect(&asked, VERDICT_REJECT, "", "two");
	ask_both(world, VERDICT("quarantine"), VERDICT("disconnect"), &asked);
	expect(&asked, VERDICT_DISCONNECT, "", "two");
}

static void test_from_discard_on_the_chain_ends(void **state)
{
	static const char *const replies[] = {VERDICT("discard"), VERDICT("tempfail"),
					      VERDICT("reject"), VERDICT("disconnect")};
	struct world *world = *state;
	struct asked asked;

	world_start(world);
	for (unsigned i = 0; i < 4; i++) {
		ask_both(world, replies[i], FAKE_ACCEPT, &asked);
		expect(&asked, VERDICT_DISCARD + i, "", "one");
	}
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 0);
}

static void test_words_of_the_last_who_had_some(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_start(world);
	ask_both(world, FAKE_REPLY("\"verdict\":\"quarantine\",\"text\":\"One\",\"reason\":\"r1\""),
		 FAKE_REPLY("\"verdict\":\"accept\",\"code\":250,\"text\":\"Two\""), &asked);
	assert_int_equal(asked.verdict.code, 250);
	assert_string_equal(asked.verdict.reason, "r1");
	expect(&asked, VERDICT_QUARANTINE, "Two", "one");
	ask_both(world, FAKE_REPLY("\"verdict\":\"accept\",\"text\":\"One\",\"reason\":\"r1\""),
		 FAKE_REPLY("\"verdict\":\"quarantine\",\"reason\":\"r2\""), &asked);
	assert_string_equal(asked.verdict.reason, "r2");
	expect(&asked, VERDICT_QUARANTINE, "One", "two");
}

static void test_bypass_skips_the_rest(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[0].grants = 1u << HANDSHAKE_GRANT_BYPASS;
	world_start(world);
	assert_non_null(fake_line(&world->fakes[0], "\"grants\":[\"bypass\"]", 0));
	assert_non_null(fake_line(&world->fakes[1], "\"grants\":[]", 0));
	ask_both(world, VERDICT("bypass"), VERDICT("reject"), &asked);
	expect(&asked, VERDICT_ACCEPT, "", "");
	ask_both(world, FAKE_REPLY("\"verdict\":\"bypass\",\"text\":\"Friend\""), VERDICT("reject"),
		 &asked);
	expect(&asked, VERDICT_ACCEPT, "Friend", "one");
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 0);
	assert_true(world_has_event(world, "policy=one hook=rcpt verdict=bypass"));
}

static void test_bypass_does_not_lower(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[1].grants = 1u << HANDSHAKE_GRANT_BYPASS;
	world_start(world);
	ask_both(world, VERDICT("quarantine"), VERDICT("bypass"), &asked);
	expect(&asked, VERDICT_QUARANTINE, "", "one");
}

static void test_bypass_needs_the_grant(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_on_failure(world, 0, VERDICT_ACCEPT);
	world_start(world);
	ask_both(world, VERDICT("bypass"), FAKE_ACCEPT, &asked);
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	asked_fini(&asked);
	world_wait(world,
		   fake_count(&world->fakes[0], "\"message\":\"bypass is not granted to this "
						"policy\""));
	assert_non_null(
		fake_line(&world->fakes[0], "\"fatal\":false,\"id\":1,\"code\":\"bad_reply\"", 0));
	assert_true(world_has_event(world, "class=bad_reply action=tempfail"));
}

static void test_verdict_that_the_hook_does_not_allow(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->settings.services_len = 1;
	world->fakes[1].registration = NULL;
	world->fakes[0].registration =
		"{\"type\":\"register\",\"version\":1,\"hooks\":{\"ehlo\":{}}}\n";
	world->fakes[0].reply = VERDICT("discard");
	world_start(world);
	asked_init(&asked, world);
	asked.request.hook = HOOK_EHLO;
	asked.request.helo = &(struct hook_helo){.verb = "EHLO", .name = {"x", 1}};
	asked.request.transaction = NULL;
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	asked_fini(&asked);
	assert_true(world_has_event(world, "class=bad_reply action=tempfail"));
}

static void test_failure_that_quarantines_goes_on(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[0].actions[HOOK_RCPT][FAILURE_TIMEOUT] = VERDICT_QUARANTINE;
	world->services[0].timeout = 0.1;
	world_start(world);
	ask_both(world, NULL, FAKE_ACCEPT, &asked);
	assert_string_equal(asked.verdict.reason, "timeout");
	expect(&asked, VERDICT_QUARANTINE, "", "one");
	assert_true(world_has_event(world, "class=timeout action=quarantine"));
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 1);
}

/* The session acts when it has its verdict, whatever it is. */
static void test_quarantine_and_asked_anew(void **state)
{
	struct world *world = *state;
	struct asked asked, follower;

	world->fakes[0].reply = VERDICT("quarantine");
	world_start(world);
	asked_init(&asked, world);
	asked_init(&follower, world);
	asked.follower = &follower;
	assert_false(asked_start(&asked));
	asked_expect(&follower, VERDICT_QUARANTINE, 0, NULL, "one");
	assert_int_equal(asked.verdicts, 1);
	asked_fini(&asked);
	asked_fini(&follower);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_quarantine_goes_on),
		TEST(test_a_later_service_raises),
		TEST(test_from_discard_on_the_chain_ends),
		TEST(test_words_of_the_last_who_had_some),
		TEST(test_bypass_skips_the_rest),
		TEST(test_bypass_does_not_lower),
		TEST(test_bypass_needs_the_grant),
		TEST(test_verdict_that_the_hook_does_not_allow),
		TEST(test_failure_that_quarantines_goes_on),
		TEST(test_quarantine_and_asked_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
