/* What a failed question becomes: the operator's choice where there is one, else a tempfail. */
#include "world.h"

#include <string.h>

#include "policy/policy_call.h"

#define REQUEST "\"type\":\"request\""

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

static void test_on_failure(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_on_failure(world, 0, VERDICT_REJECT);
	start_one(world);
	ask_held(world, &asked);
	fake_stop(&world->fakes[0]);
	asked_expect(&asked, VERDICT_REJECT, 0, NULL, "one");
	assert_string_equal(asked.verdict.text, "Policy check failed (" WORLD_TRANSACTION ")");
	assert_int_equal(verdict_code(&asked.verdict, HOOK_RCPT), 550);
	asked_fini(&asked);

	world_on_failure(world, 0, VERDICT_DISCONNECT);
	fake_listen(&world->fakes[0]);
	world_wait(world, policy_is_connected(world->policy));
	ask_held(world, &asked);
	fake_stop(&world->fakes[0]);
	asked_expect(&asked, VERDICT_DISCONNECT, 0, NULL, "one");
	assert_string_equal(asked.verdict.text, NEUTRAL);
	assert_int_equal(verdict_code(&asked.verdict, HOOK_RCPT), 421);
	asked_fini(&asked);
}

static void test_on_failure_accept_asks_the_next(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_on_failure(world, 0, VERDICT_ACCEPT);
	world->services[0].timeout = 0.1;
	world->fakes[0].reply = NULL;
	world->fakes[1].reply = "{\"type\":\"reply\",\"id\":ID,\"verdict\":\"reject\"}\n";
	world_start(world);
	asked_init(&asked, world);
	asked_start(&asked);
	asked_expect(&asked, VERDICT_REJECT, 0, NULL, "two");
	assert_true(world_has_event(world, "policy=one hook=rcpt class=timeout action=accept"));
	asked_fini(&asked);

	world->fakes[1].reply = FAKE_ACCEPT;
	asked_init(&asked, world);
	asked_start(&asked);
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	assert_null(asked.verdict.text);
	asked_fini(&asked);
}

/* Each hook and class has its own action; the faults of the protocol, and the time that is over,
 * have none to choose. */
static void test_action_of_each_class(void **state)
{
	static const enum verdict_kind expected[FAILURE_MAX] = {
		[FAILURE_UNAVAILABLE] = VERDICT_QUARANTINE, [FAILURE_OVERLOAD] = VERDICT_REJECT,
		[FAILURE_TIMEOUT] = VERDICT_DISCONNECT,	    [FAILURE_LOST] = VERDICT_ACCEPT,
		[FAILURE_BAD_REPLY] = VERDICT_TEMPFAIL,	    [FAILURE_INTERNAL] = VERDICT_TEMPFAIL,
		[FAILURE_STORAGE] = VERDICT_TEMPFAIL,	    [FAILURE_LATE] = VERDICT_TEMPFAIL,
	};
	struct policy_service_settings service = {.name = "one"};
	struct hook_request request = {.session = "S"};

	(void)state;
	memcpy(service.actions[HOOK_RCPT], expected, sizeof service.actions[HOOK_RCPT]);
	for (enum failure failure = 0; failure < FAILURE_MAX; failure++) {
		struct verdict verdict;

		request.hook = HOOK_RCPT;
		policy_call_failure(failure, &service, &request, &verdict);
		assert_string_equal(verdict_word(verdict.kind), verdict_word(expected[failure]));
		assert_string_equal(verdict.reason, failure_word(failure));
		assert_true((verdict.text == NULL) == (verdict.kind < VERDICT_TEMPFAIL));
		verdict_fini(&verdict);
		request.hook = HOOK_MAIL;
		policy_call_failure(failure, &service, &request, &verdict);
		assert_string_equal(verdict_word(verdict.kind),
				    failure < FAILURE_CHOICES ? "accept" : "tempfail");
		verdict_fini(&verdict);
	}
}

/* A slow service may be done without while a dead one holds the mail up. */
static void test_classes_differ(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[0].actions[HOOK_RCPT][FAILURE_TIMEOUT] = VERDICT_ACCEPT;
	world->services[0].actions[HOOK_RCPT][FAILURE_LOST] = VERDICT_REJECT;
	world->services[0].timeout = 0.1;
	start_one(world);
	ask_held(world, &asked);
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
	ask_held(world, &asked);
	fake_stop(&world->fakes[0]);
	asked_expect(&asked, VERDICT_REJECT, 0, NULL, "one");
	assert_true(world_has_event(world, "class=lost action=reject"));
	asked_fini(&asked);
}

/* Nobody logs in because the one who knows the passwords is away. */
static void test_on_failure_never_accepts_a_login(void **state)
{
	struct world *world = *state;
	struct asked asked;

	for (enum failure failure = 0; failure < FAILURE_MAX; failure++) {
		for (unsigned kind = 0; kind < VERDICT_MAX; kind++) {
			struct hook_request request = {.hook = HOOK_AUTH, .session = "S"};
			struct verdict verdict;

			world_on_failure(world, 0, (enum verdict_kind)kind);
			policy_call_failure(failure, &world->services[0], &request, &verdict);
			assert_true(verdict.kind >= VERDICT_TEMPFAIL);
			if (kind <= VERDICT_QUARANTINE)
				assert_int_equal(verdict.kind, VERDICT_TEMPFAIL);
			verdict_fini(&verdict);
		}
	}
	world_on_failure(world, 0, VERDICT_ACCEPT);
	world_on_failure(world, 1, VERDICT_ACCEPT);
	world_start_alone(world);
	asked_init(&asked, world);
	asked.request.hook = HOOK_AUTH;
	asked.request.transaction = NULL;
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 454, "4.3.0", "one");
	assert_true(
		world_has_event(world, "policy=one hook=auth class=unavailable action=tempfail"));
	asked_fini(&asked);
}

/* The next connection gets the same question, and nobody notices. */
static void test_asked_again(void **state)
{
	struct world *world = *state;
	struct fake_service *fake = &world->fakes[0];
	struct asked asked;

	start_one(world);
	ask_held(world, &asked);
	fake_hang_up(fake);
	world_wait(world, fake_count(fake, REQUEST) == 2);
	assert_int_equal(fake_count(fake, "\"key\":\"" WORLD_TRANSACTION ".rcpt.1.one\""), 2);
	assert_non_null(strstr(fake_line(fake, REQUEST, 0), "\"attempt\":1,"));
	assert_non_null(strstr(fake_line(fake, REQUEST, 1), "\"attempt\":2,"));
	fake_answer(fake, FAKE_ACCEPT, fake_id(fake, 1));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	assert_false(world_has_event(world, "policy.failure"));
	asked_fini(&asked);
}

/* A question that kills whoever reads it kills two. */
static void test_asked_twice_at_most(void **state)
{
	struct world *world = *state;
	struct asked asked;

	start_one(world);
	ask_held(world, &asked);
	fake_hang_up(&world->fakes[0]);
	world_wait(world, fake_count(&world->fakes[0], REQUEST) == 2);
	fake_hang_up(&world->fakes[0]);
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_int_equal(world_count_events(world, "class=lost action=tempfail"), 1);
	world_wait(world, policy_is_connected(world->policy));
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 2);
	asked_fini(&asked);
}

static void test_second_attempt_has_the_rest_of_the_time(void **state)
{
	struct world *world = *state;
	struct asked asked;
	double start;

	world->services[0].timeout = 0.8;
	start_one(world);
	start = world_clock();
	ask_held(world, &asked);
	fake_hang_up(&world->fakes[0]);
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_true(world_clock() - start >= 0.79);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 2);
	assert_true(world_has_event(world, "class=timeout"));
	asked_fini(&asked);
}

static void test_too_late_for_a_second_attempt(void **state)
{
	struct world *world = *state;
	struct asked asked;
	double until;

	world->services[0].timeout = 3;
	start_one(world);
	ask_held(world, &asked);
	until = world_clock() + 1.6;
	world_wait(world, world_clock() > until);
	fake_hang_up(&world->fakes[0]);
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_true(world_has_event(world, "class=lost"));
	world_wait(world, policy_is_connected(world->policy));
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 1);
	asked_fini(&asked);
}

/* Others that come while it waits fail at once: nobody promised them a connection. */
static void test_client_leaves_before_the_second_attempt(void **state)
{
	struct world *world = *state;
	struct asked asked, other;

	start_one(world);
	ask_held(world, &asked);
	fake_stop(&world->fakes[0]);
	world_wait(world, !policy_is_connected(world->policy));
	world_turn(world);
	asked_init(&other, world);
	asked_start(&other);
	asked_expect(&other, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_true(world_has_event(world, "class=unavailable"));
	assert_int_equal(asked.verdicts, 0);
	policy_cancel(world->policy, asked.id);
	fake_listen(&world->fakes[0]);
	world_wait(world, policy_is_connected(world->policy));
	world_turn(world);
	assert_int_equal(asked.verdicts, 0);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 1);
	asked_fini(&asked);
	asked_fini(&other);
}

#define PING "{\"type\":\"ping\"}"
#define PONG "{\"type\":\"pong\"}"

/* A service with nothing to say stays, as long as it says so. */
static void test_quiet_service_is_pinged(void **state)
{
	struct world *world = *state;
	double start;

	world->settings.ping = 0.1;
	start_one(world);
	start = world_clock();
	assert_non_null(fake_line(&world->fakes[0], "\"ping_ms\":100}", 0));
	world_wait(world, fake_count(&world->fakes[0], PING) == 4);
	assert_true(world_clock() - start >= 0.39);
	assert_true(policy_is_connected(world->policy));
	assert_false(world_has_event(world, "state=unavailable"));
}

/* Who talks is not asked whether he lives. */
static void test_busy_service_is_not_pinged(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->settings.ping = 0.5;
	start_one(world);
	world->fakes[0].reply = FAKE_ACCEPT;
	for (int i = 0; i < 20; i++) {
		double until = world_clock() + 0.05;

		asked_init(&asked, world);
		asked_start(&asked);
		asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
		asked_fini(&asked);
		world_wait(world, world_clock() > until);
	}
	assert_int_equal(fake_count(&world->fakes[0], PING), 0);
}

/* Its connection is open and it reads, but it hangs: the questions go to a line that answers. */
static void test_hanging_service_is_dropped(void **state)
{
	struct world *world = *state;
	struct fake_service *fake = &world->fakes[0];
	struct asked asked;

	world->settings.ping = 0.2;
	fake->deaf = true;
	start_one(world);
	ask_held(world, &asked);
	world_wait(world, world_has_event(world, "message=no answer to a ping"));
	assert_int_equal(fake_count(fake, PING), 1);
	fake->deaf = false;
	world_wait(world, fake_count(fake, REQUEST) == 2);
	fake_answer(fake, FAKE_ACCEPT, fake_id(fake, 1));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
}

static void test_service_pings(void **state)
{
	struct world *world = *state;

	start_one(world);
	fake_send(&world->fakes[0], PING "\n" PONG "\n" PING "\n", 3 * 16);
	world_wait(world, fake_count(&world->fakes[0], PONG) == 2);
	assert_false(world_has_event(world, "bad_reply"));
	fake_send(&world->fakes[0], "{\"type\":\"ping\",\"must\":[\"x\"]}\n", 30);
	world_wait(world, fake_count(&world->fakes[0], "\"code\":\"bad_message\""));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_on_failure),
		TEST(test_on_failure_accept_asks_the_next),
		cmocka_unit_test(test_action_of_each_class),
		TEST(test_classes_differ),
		TEST(test_on_failure_never_accepts_a_login),
		TEST(test_asked_again),
		TEST(test_asked_twice_at_most),
		TEST(test_second_attempt_has_the_rest_of_the_time),
		TEST(test_too_late_for_a_second_attempt),
		TEST(test_client_leaves_before_the_second_attempt),
		TEST(test_quiet_service_is_pinged),
		TEST(test_busy_service_is_not_pinged),
		TEST(test_hanging_service_is_dropped),
		TEST(test_service_pings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
