/* What services have said that outlives the question: answers that stand, labels, keep. */
#include "world.h"

#include <string.h>

#include "protocol/handshake.h"

#define REQUEST	  "\"type\":\"request\""
#define RECIPIENT "\"hook\":\"rcpt\""

#define REGISTER                                                                                   \
	"{\"type\":\"register\",\"version\":1,\"hooks\":{\"connect\":{},\"auth\":{},\"mail\":{},"  \
	"\"rcpt\":{},\"disconnect\":{}}}\n"

static struct policy_memory *start(struct world *world)
{
	static const size_t chain[] = {0, 1};

	world->fakes[0].registration = world->fakes[1].registration = REGISTER;
	world_start(world);
	return policy_memory_new(chain, 2);
}

static void prepare(struct asked *asked, struct world *world, struct policy_memory *memory,
		    enum hook hook)
{
	static const struct hook_auth auth = {.mechanism = "PLAIN", .user = {"bob", 3}};

	asked_init(asked, world);
	asked->memory = memory;
	asked->request.hook = hook;
	asked->request.auth = &auth;
	if (hook < HOOK_MAIL)
		asked->request.transaction = NULL;
}

/* Service "one" says this, and the verdict is waited for. */
static void ask(struct world *world, struct policy_memory *memory, enum hook hook, const char *one,
		enum verdict_kind expected, const char *by)
{
	struct asked asked;

	world->fakes[0].reply = one;
	prepare(&asked, world, memory, hook);
	assert_false(asked_start(&asked));
	world_wait(world, asked.verdicts);
	assert_string_equal(verdict_word(asked.verdict.kind), verdict_word(expected));
	assert_string_equal(asked.by, by);
	asked_fini(&asked);
}

static size_t asked_so_far(struct world *world)
{
	return fake_count(&world->fakes[0], REQUEST);
}

static void test_answer_stands_for_the_transaction(void **state)
{
	struct world *world = *state;
	struct policy_memory *memory = start(world);

	ask(world, memory, HOOK_MAIL,
	    FAKE_REPLY("\"verdict\":\"accept\",\"until\":\"transaction\""), VERDICT_ACCEPT, "");
	assert_true(
		world_has_event(world, "policy=one hook=mail verdict=accept until=transaction"));
	ask(world, memory, HOOK_RCPT, FAKE_REPLY("\"verdict\":\"reject\""), VERDICT_ACCEPT, "");
	assert_int_equal(asked_so_far(world), 1);
	/* It is the service's own: the other one is asked. */
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 2);
	policy_memory_end_transaction(memory);
	ask(world, memory, HOOK_MAIL, FAKE_REPLY("\"verdict\":\"reject\""), VERDICT_REJECT, "one");
	policy_memory_free(&memory);
}

/* The first MAIL was refused by another service, so there was no transaction to end. */
static void test_next_mail_begins_anew(void **state)
{
	struct world *world = *state;
	struct policy_memory *memory = start(world);

	world->fakes[1].reply = FAKE_REPLY("\"verdict\":\"reject\"");
	ask(world, memory, HOOK_MAIL,
	    FAKE_REPLY("\"verdict\":\"accept\",\"until\":\"transaction\",\"labels\":[\"x\"]"),
	    VERDICT_REJECT, "two");
	assert_string_equal(policy_memory_labels(memory), "x");
	ask(world, memory, HOOK_MAIL, FAKE_REPLY("\"verdict\":\"tempfail\""), VERDICT_TEMPFAIL,
	    "one");
	assert_int_equal(asked_so_far(world), 2);
	assert_null(policy_memory_labels(memory));
	policy_memory_free(&memory);
}

/* Nobody is asked, so the answer is there at once. */
static void test_accept_that_stands_for_all(void **state)
{
	struct world *world = *state;
	struct policy_memory *memory = start(world);
	struct asked asked;

	world->fakes[1].reply = FAKE_REPLY("\"verdict\":\"accept\",\"until\":\"session\"");
	ask(world, memory, HOOK_CONNECT,
	    FAKE_REPLY("\"verdict\":\"accept\",\"text\":\"Hi\",\"until\":\"session\""),
	    VERDICT_ACCEPT, "one");
	prepare(&asked, world, memory, HOOK_MAIL);
	assert_true(asked_start(&asked));
	assert_int_equal(asked.verdict.kind, VERDICT_ACCEPT);
	asked_fini(&asked);
	assert_int_equal(asked_so_far(world), 1);
	policy_memory_free(&memory);
}

static void test_refusal_that_stands_comes_from_the_loop(void **state)
{
	struct world *world = *state;
	struct policy_memory *memory = start(world);
	struct asked asked;

	ask(world, memory, HOOK_CONNECT,
	    FAKE_REPLY("\"verdict\":\"tempfail\",\"code\":421,\"status\":\"4.7.9\",\"text\":\"No\","
		       "\"until\":\"session\""),
	    VERDICT_TEMPFAIL, "one");
	prepare(&asked, world, memory, HOOK_MAIL);
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 0, "4.7.9", "one");
	assert_string_equal(asked.verdict.text, "No");
	asked_fini(&asked);
	assert_int_equal(asked_so_far(world), 1);
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 0);
	/* The client may leave before. */
	prepare(&asked, world, memory, HOOK_MAIL);
	assert_false(asked_start(&asked));
	policy_cancel(world->policy, asked.id);
	for (int i = 0; i < 3; i++)
		world_turn(world);
	assert_int_equal(asked.verdicts, 0);
	policy_memory_free(&memory);
}

static void test_quarantine_that_stands(void **state)
{
	struct world *world = *state;
	struct policy_memory *memory = start(world);

	ask(world, memory, HOOK_CONNECT,
	    FAKE_REPLY("\"verdict\":\"quarantine\",\"until\":\"session\""), VERDICT_QUARANTINE,
	    "one");
	ask(world, memory, HOOK_MAIL, NULL, VERDICT_QUARANTINE, "one");
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 2);
	policy_memory_free(&memory);
}

static void test_bypass_that_stands(void **state)
{
	struct world *world = *state;
	struct policy_memory *memory;
	struct asked asked;

	world->services[0].grants = 1u << HANDSHAKE_GRANT_BYPASS;
	memory = start(world);
	world->fakes[1].reply = FAKE_REPLY("\"verdict\":\"reject\"");
	ask(world, memory, HOOK_CONNECT, FAKE_REPLY("\"verdict\":\"bypass\",\"until\":\"session\""),
	    VERDICT_ACCEPT, "");
	prepare(&asked, world, memory, HOOK_MAIL);
	assert_true(asked_start(&asked));
	assert_int_equal(asked.verdict.kind, VERDICT_ACCEPT);
	asked_fini(&asked);
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 0);
	policy_memory_free(&memory);
}

static void test_nothing_stands_at_auth(void **state)
{
	struct world *world = *state;
	struct policy_memory *memory = start(world);

	ask(world, memory, HOOK_CONNECT, FAKE_REPLY("\"verdict\":\"accept\",\"until\":\"session\""),
	    VERDICT_ACCEPT, "");
	ask(world, memory, HOOK_AUTH, FAKE_REPLY("\"verdict\":\"reject\""), VERDICT_REJECT, "one");
	assert_int_equal(asked_so_far(world), 2);
	policy_memory_free(&memory);
}

static void test_answer_stands_while_its_service_is_away(void **state)
{
	struct world *world = *state;
	struct policy_memory *memory = start(world);

	ask(world, memory, HOOK_CONNECT, FAKE_REPLY("\"verdict\":\"accept\",\"until\":\"session\""),
	    VERDICT_ACCEPT, "");
	fake_stop(&world->fakes[0]);
	world_wait(world, world_has_event(world, "policy=one socket") &&
				  !policy_is_connected(world->policy));
	ask(world, memory, HOOK_MAIL, NULL, VERDICT_ACCEPT, "");
	assert_false(world_has_event(world, "policy.failure"));
	policy_memory_free(&memory);
}

static void test_labels_reach_the_next_service_of_the_same_question(void **state)
{
	struct world *world = *state;
	struct policy_memory *memory = start(world);

	ask(world, memory, HOOK_CONNECT,
	    FAKE_REPLY("\"verdict\":\"accept\",\"labels\":[\"known\",\"x.1\"]"), VERDICT_ACCEPT,
	    "");
	assert_null(strstr(fake_line(&world->fakes[0], REQUEST, 0), "\"labels\""));
	assert_non_null(
		strstr(fake_line(&world->fakes[1], REQUEST, 0), "\"labels\":[\"known\",\"x.1\"]"));
	assert_true(
		world_has_event(world, "policy=one hook=connect verdict=accept labels=known x.1"));
	ask(world, memory, HOOK_MAIL, FAKE_REPLY("\"verdict\":\"tempfail\",\"labels\":[\"grey\"]"),
	    VERDICT_TEMPFAIL, "one");
	assert_non_null(
		strstr(fake_line(&world->fakes[0], REQUEST, 1), "\"labels\":[\"known\",\"x.1\"]"));
	assert_string_equal(policy_memory_labels(memory), "known x.1 grey");
	policy_memory_free(&memory);
}

static void test_keep_comes_back_to_its_service(void **state)
{
	struct world *world = *state;
	struct policy_memory *memory = start(world);
	const char *line;

	ask(world, memory, HOOK_CONNECT,
	    FAKE_REPLY("\"verdict\":\"accept\",\"keep\":{\"session\":{\"n\":1}}"), VERDICT_ACCEPT,
	    "");
	ask(world, memory, HOOK_RCPT,
	    FAKE_REPLY("\"verdict\":\"tempfail\",\"keep\":{\"transaction\":{\"t\":[2]}}"),
	    VERDICT_TEMPFAIL, "one");
	line = fake_line(&world->fakes[0], RECIPIENT, 0);
	assert_non_null(strstr(line, "\"keep\":{\"session\":{\"n\":1}}"));
	ask(world, memory, HOOK_RCPT,
	    FAKE_REPLY("\"verdict\":\"accept\",\"keep\":{\"session\":null}"), VERDICT_ACCEPT, "");
	line = fake_line(&world->fakes[0], RECIPIENT, 1);
	assert_non_null(
		strstr(line, "\"keep\":{\"session\":{\"n\":1},\"transaction\":{\"t\":[2]}}"));
	ask(world, memory, HOOK_RCPT, FAKE_ACCEPT, VERDICT_ACCEPT, "");
	line = fake_line(&world->fakes[0], RECIPIENT, 2);
	assert_non_null(strstr(line, "\"keep\":{\"transaction\":{\"t\":[2]}}"));
	assert_null(strstr(fake_line(&world->fakes[1], RECIPIENT, 1), "\"keep\""));
	policy_memory_free(&memory);
}

static void test_keep_of_the_session_comes_with_the_end(void **state)
{
	static const size_t chain[] = {0, 1};
	struct world *world = *state;
	struct policy_memory *memory = start(world);
	struct hook_request request = {
		.hook = HOOK_DISCONNECT,
		.session = WORLD_SESSION,
		.context = {.listener_name = "mx"},
		.reason = "quit",
	};
	const char *line;

	ask(world, memory, HOOK_MAIL,
	    FAKE_REPLY("\"verdict\":\"reject\",\"keep\":{\"session\":{\"n\":1},"
		       "\"transaction\":{\"t\":2}}"),
	    VERDICT_REJECT, "one");
	policy_tell(world->policy, chain, 2, &request, memory);
	world_wait(world, fake_count(&world->fakes[0], "\"hook\":\"disconnect\""));
	line = fake_line(&world->fakes[0], "\"hook\":\"disconnect\"", 0);
	assert_non_null(strstr(line, "\"keep\":{\"session\":{\"n\":1}}"));
	world_wait(world, fake_count(&world->fakes[1], "\"hook\":\"disconnect\""));
	line = fake_line(&world->fakes[1], "\"hook\":\"disconnect\"", 0);
	assert_null(strstr(line, "\"keep\""));
	policy_memory_free(&memory);
}

static void test_late_reply_is_not_remembered(void **state)
{
	struct world *world = *state;
	struct policy_memory *memory = start(world);
	struct asked asked;

	world->fakes[0].reply = NULL;
	prepare(&asked, world, memory, HOOK_RCPT);
	assert_false(asked_start(&asked));
	world_wait(world, fake_id(&world->fakes[0], 0));
	policy_cancel(world->policy, asked.id);
	fake_answer(&world->fakes[0],
		    FAKE_REPLY("\"verdict\":\"accept\",\"labels\":[\"x\"],\"until\":\"session\""),
		    fake_id(&world->fakes[0], 0));
	ask(world, memory, HOOK_RCPT, FAKE_REPLY("\"verdict\":\"reject\""), VERDICT_REJECT, "one");
	assert_null(policy_memory_labels(memory));
	policy_memory_free(&memory);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_answer_stands_for_the_transaction),
		TEST(test_next_mail_begins_anew),
		TEST(test_accept_that_stands_for_all),
		TEST(test_refusal_that_stands_comes_from_the_loop),
		TEST(test_quarantine_that_stands),
		TEST(test_bypass_that_stands),
		TEST(test_nothing_stands_at_auth),
		TEST(test_answer_stands_while_its_service_is_away),
		TEST(test_labels_reach_the_next_service_of_the_same_question),
		TEST(test_keep_comes_back_to_its_service),
		TEST(test_keep_of_the_session_comes_with_the_end),
		TEST(test_late_reply_is_not_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
