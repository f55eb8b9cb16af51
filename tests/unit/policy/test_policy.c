/* Who is asked, how the answers combine, cancelling and telling. */
#include "world.h"

#include <string.h>

#define REQUEST "\"type\":\"request\""
#define CANCEL	"\"type\":\"cancel\""

static void test_all_accept(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_start(world);
	asked_init(&asked, world);
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	assert_null(asked.verdict.text);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 1);
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 1);
	assert_non_null(
		fake_line(&world->fakes[0], "\"key\":\"" WORLD_TRANSACTION ".rcpt.1.one\"", 0));
	assert_non_null(
		fake_line(&world->fakes[1], "\"key\":\"" WORLD_TRANSACTION ".rcpt.1.two\"", 0));
	assert_int_equal(world_count_events(world, "policy.decision session=" WORLD_SESSION
						   " policy=one hook=rcpt verdict=accept ms="),
			 1);
	assert_int_equal(world_count_events(world, "policy.decision"), 2);
	assert_false(world_has_event(world, "policy.failure"));
	asked_fini(&asked);
}

static void test_key_outside_a_transaction(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_start(world);
	asked_init(&asked, world);
	asked.request.hook = HOOK_MAIL;
	asked.request.transaction = NULL;
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	assert_non_null(fake_line(&world->fakes[0], "\"key\":\"" WORLD_SESSION ".mail.one\"", 0));
	asked_fini(&asked);
}

static void test_deadline_is_what_is_left(void **state)
{
	struct world *world = *state;
	struct asked asked;
	const char *line, *deadline;
	long ms;

	world_start(world);
	asked_init(&asked, world);
	asked_start(&asked);
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	line = fake_line(&world->fakes[0], REQUEST, 0);
	deadline = strstr(line, "\"deadline_ms\":");
	assert_non_null(deadline);
	ms = strtol(deadline + 14, NULL, 10);
	assert_in_range(ms, 4000, 5000);
	asked_fini(&asked);
}

static void test_first_rejects(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->fakes[0].reply = "{\"type\":\"reply\",\"id\":ID,\"verdict\":\"reject\",\"code\":550,"
				"\"status\":\"5.1.1\",\"text\":[\"No\",\"such user\"],"
				"\"reason\":\"nobody\"}\n";
	world_start(world);
	asked_init(&asked, world);
	asked_start(&asked);
	asked_expect(&asked, VERDICT_REJECT, 550, "5.1.1", "one");
	assert_string_equal(asked.verdict.text, "No\nsuch user");
	assert_string_equal(asked.verdict.reason, "nobody");
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 0);
	assert_true(world_has_event(world, "policy=one hook=rcpt verdict=reject code=550 "
					   "status=5.1.1 reason=nobody ms="));
	asked_fini(&asked);
}

static void test_second_decides(void **state)
{
	static const struct {
		const char *word;
		enum verdict_kind kind;
	} rows[] = {{"tempfail", VERDICT_TEMPFAIL},
		    {"reject", VERDICT_REJECT},
		    {"disconnect", VERDICT_DISCONNECT}};
	struct world *world = *state;
	struct asked asked;
	char reply[128];

	world_start(world);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(reply, sizeof reply, "{\"type\":\"reply\",\"id\":ID,\"verdict\":\"%s\"}\n",
			 rows[i].word);
		world->fakes[1].reply = reply;
		asked_init(&asked, world);
		asked_start(&asked);
		asked_expect(&asked, rows[i].kind, 0, NULL, "two");
		asked_fini(&asked);
	}
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 3);
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 3);
}

static void test_last_accept_with_words_wins(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->fakes[0].reply = "{\"type\":\"reply\",\"id\":ID,\"verdict\":\"accept\","
				"\"text\":\"From one\"}\n";
	world_start(world);
	asked_init(&asked, world);
	asked_start(&asked);
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "one");
	assert_string_equal(asked.verdict.text, "From one");
	asked_fini(&asked);

	world->fakes[1].reply = "{\"type\":\"reply\",\"id\":ID,\"verdict\":\"accept\",\"code\":250,"
				"\"status\":\"2.1.5\",\"text\":\"From two\"}\n";
	asked_init(&asked, world);
	asked_start(&asked);
	asked_expect(&asked, VERDICT_ACCEPT, 250, "2.1.5", "two");
	assert_string_equal(asked.verdict.text, "From two");
	asked_fini(&asked);
}

static void test_words_of_an_accept_do_not_survive_a_reject(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->fakes[0].reply = "{\"type\":\"reply\",\"id\":ID,\"verdict\":\"accept\","
				"\"text\":\"Welcome\"}\n";
	world->fakes[1].reply = "{\"type\":\"reply\",\"id\":ID,\"verdict\":\"reject\"}\n";
	world_start(world);
	asked_init(&asked, world);
	asked_start(&asked);
	asked_expect(&asked, VERDICT_REJECT, 0, NULL, "two");
	assert_null(asked.verdict.text);
	asked_fini(&asked);
}

static void test_nobody_registered_the_hook(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_start(world);
	asked_init(&asked, world);
	asked.request.hook = HOOK_DATA;
	asked.verdict.kind = VERDICT_REJECT;
	assert_true(asked_start(&asked));
	assert_int_equal(asked.verdict.kind, VERDICT_ACCEPT);
	policy_cancel(world->policy, asked.id);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 0);
	asked_fini(&asked);
}

static void test_configured_hooks_limit(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[0].hooks = 1u << HOOK_MAIL;
	world_start(world);
	asked_init(&asked, world);
	asked_start(&asked);
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 0);
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 1);
	assert_null(fake_line(&world->fakes[0], "\"type\":\"ready\"", 1));
	assert_null(strstr(fake_line(&world->fakes[0], "\"type\":\"ready\"", 0), "rcpt"));
	assert_non_null(strstr(fake_line(&world->fakes[1], "\"type\":\"ready\"", 0), "rcpt"));
	asked_fini(&asked);
}

static void test_cancel_of_a_sent_question(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->fakes[0].reply = NULL;
	world_start(world);
	asked_init(&asked, world);
	asked_start(&asked);
	world_wait(world, fake_id(&world->fakes[0], 0));
	policy_cancel(world->policy, asked.id);
	policy_cancel(world->policy, asked.id);
	policy_cancel(world->policy, 0);
	policy_cancel(world->policy, UINT64_MAX);
	world_wait(world, fake_count(&world->fakes[0], CANCEL));
	assert_non_null(fake_line(&world->fakes[0], "\"why\":\"client_gone\"", 0));
	/* The reply that is still owed comes, and is nobody's. */
	fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], 0));
	world->fakes[0].reply = FAKE_ACCEPT;
	assert_int_equal(asked.verdicts, 0);
	asked_init(&asked, world);
	asked_start(&asked);
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	assert_false(world_has_event(world, "policy.bad_reply"));
	assert_int_equal(fake_count(&world->fakes[0], CANCEL), 1);
	asked_fini(&asked);
}

/* The answer is there but not yet delivered, when the client goes. */
static void test_cancel_in_the_last_moment(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_start_alone(world);
	asked_init(&asked, world);
	assert_false(asked_start(&asked));
	policy_cancel(world->policy, asked.id);
	for (int i = 0; i < 3; i++)
		world_turn(world);
	assert_int_equal(asked.verdicts, 0);
	asked_fini(&asked);
}

static void test_tell(void **state)
{
	struct world *world = *state;
	size_t chain[] = {0, 1};
	struct hook_request request = {
		.hook = HOOK_DISCONNECT,
		.session = WORLD_SESSION,
		.context = {.client = {"192.0.2.1", 5000}, .listener_name = "mx"},
		.reason = "quit",
		.commands = 7,
	};
	const char *line;

	world->services[1].hooks = 1u << HOOK_RCPT;
	world_start(world);
	policy_tell(world->policy, chain, 2, &request, NULL);
	world_wait(world, fake_count(&world->fakes[0], REQUEST));
	line = fake_line(&world->fakes[0], REQUEST, 0);
	assert_non_null(strstr(line, "\"hook\":\"disconnect\""));
	assert_non_null(strstr(line, "\"reason\":\"quit\""));
	assert_null(strstr(line, "\"id\":"));
	for (int i = 0; i < 3; i++)
		world_turn(world);
	assert_int_equal(fake_count(&world->fakes[1], REQUEST), 0);
}

static void test_tell_nobody(void **state)
{
	struct world *world = *state;
	size_t chain[] = {0, 1};
	struct hook_request request = {
		.hook = HOOK_DISCONNECT, .session = WORLD_SESSION, .reason = "quit"};

	world_start_alone(world);
	policy_tell(world->policy, chain, 2, &request, NULL);
	world_turn(world);
	assert_false(policy_is_connected(world->policy));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_all_accept),
		TEST(test_key_outside_a_transaction),
		TEST(test_deadline_is_what_is_left),
		TEST(test_first_rejects),
		TEST(test_second_decides),
		TEST(test_last_accept_with_words_wins),
		TEST(test_words_of_an_accept_do_not_survive_a_reject),
		TEST(test_nobody_registered_the_hook),
		TEST(test_configured_hooks_limit),
		TEST(test_cancel_of_a_sent_question),
		TEST(test_cancel_in_the_last_moment),
		TEST(test_tell),
		TEST(test_tell_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
