/* Dialling, the handshake, and dialling again. */
#include "world.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "protocol/jsonl.h"

#define REQUEST "\"type\":\"request\""
#define HELLO	"\"type\":\"hello\""

static void only_one(struct world *world)
{
	world->settings.services_len = 1;
	world->fakes[1].registration = NULL;
}

static void expect_verdict(struct world *world, enum verdict_kind kind)
{
	struct asked asked;

	asked_init(&asked, world);
	assert_false(asked_start(&asked));
	world_wait(world, asked.verdicts);
	assert_int_equal(asked.verdict.kind, kind);
	asked_fini(&asked);
}

static void test_handshake(void **state)
{
	struct world *world = *state;
	const char *ready;

	only_one(world);
	world_start(world);
	assert_non_null(strstr(world->fakes[0].lines[0], HELLO));
	ready = world->fakes[0].lines[1];
	assert_non_null(strstr(ready, "\"policy\":\"one\""));
	assert_non_null(strstr(ready, "\"deadline_ms\":5000"));
	assert_non_null(strstr(ready, "\"window\":4"));
	assert_null(strstr(ready, "/spool"));
	assert_true(world_has_event(world, "policy.service session=- policy=one socket="));
	assert_true(world_has_event(world, "state=ready service=fake software=fake/1\n"));
	assert_int_equal(world_count_events(world, "policy.service"), 1);
}

static void test_spool_for_path_only(void **state)
{
	struct world *world = *state;

	only_one(world);
	world->fakes[0].registration =
		"{\"type\":\"register\",\"version\":1,"
		"\"hooks\":{\"message\":{}},\"body\":[\"inline\",\"path\"]}\n";
	world_start(world);
	assert_non_null(strstr(world->fakes[0].lines[1], "\"spool\":\"/spool\""));
}

/* This process listens, so the right account is its own. */
static void test_the_right_account(void **state)
{
	struct world *world = *state;

	only_one(world);
	world->services[0].uid_set = true;
	world->services[0].uid = getuid();
	world_start(world);
	expect_verdict(world, VERDICT_ACCEPT);
}

static void test_any_account_when_none_is_named(void **state)
{
	struct world *world = *state;

	only_one(world);
	world->services[0].uid = getuid() + 1;
	world_start(world);
	expect_verdict(world, VERDICT_ACCEPT);
}

static void test_another_account_is_told_nothing(void **state)
{
	struct world *world = *state;
	char message[128];

	only_one(world);
	world->services[0].uid_set = true;
	world->services[0].uid = getuid() + 1;
	fake_listen(&world->fakes[0]);
	world_start_alone(world);
	world_wait(world, world->fakes[0].peers_len == 2); /* and tried again */
	snprintf(message, sizeof message,
		 "state=refused message=its socket belongs to uid %u, not %u\n", (unsigned)getuid(),
		 (unsigned)getuid() + 1);
	assert_true(world_has_event(world, message));
	assert_int_equal(world_count_events(world, "policy.service"), 1);
	assert_int_equal(world->fakes[0].lines_len, 0);
	expect_verdict(world, VERDICT_TEMPFAIL);
}

/* Counted anew on each connection. */
static void test_lines_of_no_use_are_counted(void **state)
{
	struct world *world = *state;
	struct fake_service *fake = &world->fakes[0];
	struct asked asked;

	only_one(world);
	fake->reply = NULL;
	world->services[0].timeout = 0.2;
	world_start(world);
	asked_init(&asked, world);
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	asked_fini(&asked);
	fake_answer(fake, FAKE_ACCEPT, fake_id(fake, 0)); /* late */
	fake_answer(fake, FAKE_ACCEPT, fake_id(fake, 0)); /* a duplicate */
	fake_answer(fake, FAKE_ACCEPT, 99);
	fake_answer(fake, "{\"type\":\"x_mine\"}\n", 0);
	fake_answer(fake, "garbage\n", 0);
	world_wait(world, world_has_event(world, "state=unavailable service=fake software=fake/1 "
						 "message="));
	assert_true(world_has_event(world, " late=1 bad=1 unknown=3\n"));
	world_wait(world, world_count_events(world, "state=ready") == 2);
	fake_stop(fake);
	world_wait(world, world_has_event(world, "message=closed by the peer\n"));
}

static void test_service_comes_later(void **state)
{
	struct world *world = *state;

	only_one(world);
	world_start_alone(world);
	expect_verdict(world, VERDICT_TEMPFAIL);
	world_wait(world, world_has_event(world, "state=unavailable"));
	assert_false(policy_is_connected(world->policy));
	fake_listen(&world->fakes[0]);
	world_wait(world, policy_is_connected(world->policy));
	expect_verdict(world, VERDICT_ACCEPT);
	/* Not one for each attempt. */
	assert_int_equal(world_count_events(world, "state=unavailable"), 1);
	assert_int_equal(world_count_events(world, "state=ready"), 1);
}

static void test_service_restarts(void **state)
{
	struct world *world = *state;

	only_one(world);
	world_start(world);
	expect_verdict(world, VERDICT_ACCEPT);
	fake_stop(&world->fakes[0]);
	world_wait(world, !policy_is_connected(world->policy));
	expect_verdict(world, VERDICT_TEMPFAIL);
	assert_true(world_has_event(world, "class=unavailable action=tempfail"));
	/* The attempts in between fail. */
	for (int i = 0; i < 20; i++)
		world_turn(world);
	assert_int_equal(world_count_events(world, "state=unavailable"), 1);
	assert_true(world_has_event(world, "message=closed by the peer"));
	fake_listen(&world->fakes[0]);
	world_wait(world, policy_is_connected(world->policy));
	expect_verdict(world, VERDICT_ACCEPT);
	assert_int_equal(world_count_events(world, "state=ready"), 2);
}

/* Between five attempts lie 100, 200, 400 and 800 ms, less at most a quarter. */
static void test_redial_backs_off(void **state)
{
	struct world *world = *state;
	double start = world_clock();

	only_one(world);
	world->fakes[0].registration = "{\"type\":\"register\"}\n";
	fake_listen(&world->fakes[0]);
	world_start_alone(world);
	world_wait(world, world->fakes[0].peers_len == 5);
	assert_true(world_clock() - start >= 0.75 * (0.1 + 0.2 + 0.4 + 0.8));
	assert_true(world_clock() - start < 5);
}

static void test_refused_registration(void **state)
{
	struct world *world = *state;

	only_one(world);
	world->fakes[0].registration = "{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":{"
				       "\"need\":[\"moon\"]}}}\n";
	fake_listen(&world->fakes[0]);
	world_start_alone(world);
	world_wait(world, fake_count(&world->fakes[0], "\"fatal\":true") == 2);
	assert_non_null(fake_line(&world->fakes[0], "\"code\":\"need_unavailable\"", 1));
	assert_int_equal(world_count_events(world, "state=refused"), 1);
	assert_int_equal(fake_count(&world->fakes[0], "\"type\":\"ready\""), 0);
	expect_verdict(world, VERDICT_TEMPFAIL);
	/* Its author has understood. */
	world->fakes[0].registration =
		"{\"type\":\"register\",\"version\":1,\"hooks\":{\"rcpt\":{}}}\n";
	world_wait(world, policy_is_connected(world->policy));
	expect_verdict(world, VERDICT_ACCEPT);
}

static void test_garbage_for_registration(void **state)
{
	struct world *world = *state;

	only_one(world);
	world->fakes[0].registration = "220 mx.example.org ESMTP\n";
	fake_listen(&world->fakes[0]);
	world_start_alone(world);
	world_wait(world, fake_count(&world->fakes[0], "\"code\":\"bad_json\""));
	assert_true(world_has_event(world, "state=refused message="));
	expect_verdict(world, VERDICT_TEMPFAIL);
}

static void test_no_registration(void **state)
{
	struct world *world = *state;
	double start = world_clock();

	only_one(world);
	world->fakes[0].registration = NULL;
	fake_listen(&world->fakes[0]);
	world_start_alone(world);
	world_wait(world, fake_count(&world->fakes[0], "\"code\":\"no_register\""));
	assert_true(world_clock() - start >= 4.9);
	assert_true(world_has_event(world, "state=refused message=no register message within 5 s"));
}

static void test_line_too_long(void **state)
{
	struct world *world = *state;
	struct asked asked;
	size_t sent = 0;
	char *piece = mem_new(65536);

	memset(piece, ' ', 65536);
	only_one(world);
	world->fakes[0].reply = NULL;
	world_start(world);
	asked_init(&asked, world);
	asked_start(&asked);
	world_wait(world, fake_id(&world->fakes[0], 0));
	for (; sent <= JSONL_LINE_MAX; sent += 65536) {
		fake_send(&world->fakes[0], piece, 65536);
		world_turn(world);
		world_turn(world);
		world_turn(world);
		world_turn(world);
	}
	free(piece);
	world_wait(world, world_has_event(world, "policy.bad_reply session=- policy=one "
						 "code=line_too_long"));
	world_wait(world, fake_count(&world->fakes[0], "\"code\":\"line_too_long\""));
	fake_stop(&world->fakes[0]);
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_true(world_has_event(world, "class=bad_reply"));
	asked_fini(&asked);
	fake_listen(&world->fakes[0]);
	world_wait(world, policy_is_connected(world->policy));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_handshake),
		TEST(test_spool_for_path_only),
		TEST(test_the_right_account),
		TEST(test_any_account_when_none_is_named),
		TEST(test_another_account_is_told_nothing),
		TEST(test_lines_of_no_use_are_counted),
		TEST(test_service_comes_later),
		TEST(test_service_restarts),
		TEST(test_redial_backs_off),
		TEST(test_refused_registration),
		TEST(test_garbage_for_registration),
		TEST(test_no_registration),
		TEST(test_line_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
