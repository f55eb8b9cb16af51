/* Services in shadow mode: asked, never waited for, and what they say is an event. */
#include "world.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/handshake.h"

#define REQUEST "\"type\":\"request\""
#define CANCEL	"\"type\":\"cancel\""

#define SHADOW "policy.shadow session=" WORLD_SESSION " policy=one hook=rcpt "

#define REGISTER(body)                                                                             \
	"{\"type\":\"register\",\"version\":1,\"hooks\":{\"message\":{}},\"body\":[" body "]}\n"

static void start(struct world *world)
{
	world->services[0].shadow = true;
	world_start(world);
}

/* Service "one" has the question, and its answer is held; "two" has accepted. */
static void ask_held(struct world *world, struct asked *asked)
{
	size_t before = fake_count(&world->fakes[0], REQUEST);

	world->fakes[0].reply = NULL;
	asked_init(asked, world);
	assert_false(asked_start(asked));
	asked_expect(asked, VERDICT_ACCEPT, 0, NULL, "");
	world_wait(world, fake_count(&world->fakes[0], REQUEST) > before);
}

static void test_verdict_is_an_event_and_nothing_else(void **state)
{
	struct world *world = *state;
	struct asked asked;

	start(world);
	assert_non_null(fake_line(&world->fakes[0], "\"mode\":\"shadow\"", 0));
	assert_non_null(fake_line(&world->fakes[1], "\"mode\":\"enforce\"", 0));
	world->fakes[0].reply =
		FAKE_REPLY("\"verdict\":\"reject\",\"code\":550,\"status\":\"5.7.1\","
			   "\"reason\":\"listed\"");
	asked_init(&asked, world);
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
	world_wait(world, world_has_event(world, SHADOW "verdict=reject code=550 status=5.7.1 "
							"reason=listed ms="));
	assert_int_equal(world_count_events(world, "policy.decision"), 1);
	assert_non_null(
		fake_line(&world->fakes[0], "\"key\":\"" WORLD_TRANSACTION ".rcpt.1.one\"", 0));
}

static void test_nobody_waits(void **state)
{
	struct world *world = *state;
	struct asked asked;

	start(world);
	ask_held(world, &asked);
	asked_fini(&asked);
	assert_false(world_has_event(world, "policy.shadow"));
	fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], 0));
	world_wait(world, world_has_event(world, SHADOW "verdict=accept ms="));
}

/* With nobody else in the chain the answer is there at once. */
static void test_a_shadow_alone_is_nobody(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->settings.services_len = 1;
	world->fakes[1].registration = NULL;
	start(world);
	asked_init(&asked, world);
	assert_true(asked_start(&asked));
	asked_fini(&asked);
	world_wait(world, world_has_event(world, SHADOW "verdict=accept"));
}

static void test_client_that_leaves_cancels_no_shadow(void **state)
{
	struct world *world = *state;
	struct asked asked;

	start(world);
	world->fakes[0].reply = world->fakes[1].reply = NULL;
	asked_init(&asked, world);
	assert_false(asked_start(&asked));
	world_wait(world, fake_id(&world->fakes[0], 0) && fake_id(&world->fakes[1], 0));
	policy_cancel(world->policy, asked.id);
	world_wait(world, fake_count(&world->fakes[1], CANCEL));
	/* What the session was asked with is gone. */
	memset(&asked, 0xff, sizeof asked);
	fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], 0));
	world_wait(world, world_has_event(world, SHADOW "verdict=accept"));
	assert_int_equal(fake_count(&world->fakes[0], CANCEL), 0);
}

static void test_keep_labels_until_and_edits_have_no_effect(void **state)
{
	static const size_t chain[] = {0, 1};
	struct policy_memory *memory = policy_memory_new(chain, 2);
	struct world *world = *state;
	struct asked asked;

	world->fakes[0].registration = REGISTER("\"none\"");
	start(world);
	world->fakes[0].reply = FAKE_REPLY(
		"\"verdict\":\"accept\",\"until\":\"session\",\"labels\":[\"x\"],\"keep\":{"
		"\"session\":{}},\"edits\":[{\"edit\":\"set_sender\",\"address\":\"\"}]");
	for (size_t i = 0; i < 2; i++) {
		asked_init(&asked, world);
		asked.request.hook = HOOK_MESSAGE;
		asked.request.message = &asked.message;
		asked.memory = memory;
		assert_false(asked_start(&asked));
		asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
		world_wait(world, world_count_events(world, "policy.shadow") == i + 1);
		assert_int_equal(asked.edits_made, 0);
		asked_fini(&asked);
	}
	assert_int_equal(world_count_events(world, "verdict=accept ms="), 4);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 2);
	assert_null(strstr(fake_line(&world->fakes[0], REQUEST, 1), "\"keep\""));
	assert_null(policy_memory_labels(memory));
	policy_memory_free(&memory);
}

static void test_shadow_is_told_the_labels_of_others(void **state)
{
	static const size_t chain[] = {0, 1};
	struct policy_memory *memory = policy_memory_new(chain, 2);
	struct world *world = *state;
	struct asked asked;

	world->services[1].shadow = true;
	world_start(world);
	world->fakes[0].reply = FAKE_REPLY("\"verdict\":\"accept\",\"labels\":[\"x\"]");
	asked_init(&asked, world);
	asked.memory = memory;
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
	policy_memory_free(&memory);
	world_wait(world, fake_count(&world->fakes[1], REQUEST));
	assert_non_null(strstr(fake_line(&world->fakes[1], REQUEST, 0), "\"labels\":[\"x\"]"));
	world_wait(world, world_has_event(world, "policy.shadow"));
}

static void test_bad_reply(void **state)
{
	struct world *world = *state;
	struct asked asked;

	start(world);
	ask_held(world, &asked);
	asked_fini(&asked);
	fake_answer(&world->fakes[0], FAKE_REPLY("\"verdict\":\"bypass\""),
		    fake_id(&world->fakes[0], 0));
	world_wait(world, world_has_event(world, SHADOW "failure=bad_reply"));
	world_wait(world, fake_count(&world->fakes[0], "bypass is not granted"));
	assert_false(world_has_event(world, "policy.failure"));
}

static void test_timeout(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->services[0].timeout = 0.1;
	start(world);
	ask_held(world, &asked);
	asked_fini(&asked);
	world_wait(world, world_has_event(world, SHADOW "failure=timeout"));
	world_wait(world, fake_count(&world->fakes[0], "\"why\":\"deadline\""));
}

/* A lost one is not asked again. */
static void test_lost_and_unavailable(void **state)
{
	struct world *world = *state;
	struct asked asked;

	start(world);
	ask_held(world, &asked);
	asked_fini(&asked);
	fake_stop(&world->fakes[0]);
	world_wait(world, world_has_event(world, SHADOW "failure=lost"));
	asked_init(&asked, world);
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
	world_wait(world, world_has_event(world, SHADOW "failure=unavailable"));
	fake_listen(&world->fakes[0]);
	world_wait(world, policy_is_connected(world->policy));
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 1);
}

/* Its window is 4. */
static void test_no_credit_is_an_overload(void **state)
{
	struct world *world = *state;
	struct asked asked;

	start(world);
	for (int i = 0; i < 4; i++) {
		ask_held(world, &asked);
		asked_fini(&asked);
	}
	assert_false(world_has_event(world, "policy.shadow"));
	asked_init(&asked, world);
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
	world_wait(world, world_has_event(world, SHADOW "failure=overload"));
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 4);
}

static void test_counts_in_its_own_breaker(void **state)
{
	struct world *world = *state;
	struct asked asked;

	start(world);
	world->fakes[0].reply = FAKE_REPLY("\"verdict\":\"perhaps\"");
	for (size_t i = 0; i < 21; i++) {
		asked_init(&asked, world);
		assert_false(asked_start(&asked));
		asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
		asked_fini(&asked);
		world_wait(world, world_count_events(world, SHADOW) == i + 1);
	}
	assert_true(world_has_event(world, "policy.breaker session=- policy=one state=open"));
	assert_int_equal(world_count_events(world, SHADOW "failure=unavailable"), 1);
	assert_false(world_has_event(world, "policy=two state=open"));
}

/* --- the message's file --- */

static bool exists(struct world *world, const char *file)
{
	char path[160];
	struct stat facts;

	snprintf(path, sizeof path, "%s/%s", world->directory, file);
	return stat(path, &facts) == 0;
}

static void change_file(struct world *world, const char *file, bool there)
{
	char path[160];

	snprintf(path, sizeof path, "%s/%s", world->directory, file);
	if (there)
		close(open(path, O_WRONLY | O_CREAT, 0600));
	else
		unlink(path);
}

static void ask_about_file(struct world *world, const char *registration, struct asked *asked)
{
	world->settings.spool_dir = world->directory;
	world->fakes[0].registration = registration;
	start(world);
	world->fakes[0].reply = NULL;
	change_file(world, "FILE.eml", true);
	asked_init(asked, world);
	asked->request.hook = HOOK_MESSAGE;
	asked->request.message = &asked->message;
	asked->path = "FILE.eml";
	assert_false(asked_start(asked));
	asked_expect(asked, VERDICT_ACCEPT, 0, NULL, "");
}

static void test_file_has_a_second_name_until_the_reply(void **state)
{
	struct world *world = *state;
	struct asked asked;

	ask_about_file(world, REGISTER("\"path\""), &asked);
	change_file(world, "FILE.eml", false); /* with the transaction */
	asked_fini(&asked);
	world_wait(world, fake_count(&world->fakes[0], "\"path\":\"FILE-1.eml\""));
	assert_true(exists(world, "FILE-1.eml"));
	fake_answer(&world->fakes[0], FAKE_ACCEPT, fake_id(&world->fakes[0], 0));
	world_wait(world, world_has_event(world, "policy.shadow"));
	assert_false(exists(world, "FILE-1.eml"));
}

static void test_file_is_removed_with_the_policy(void **state)
{
	struct world *world = *state;
	struct asked asked;

	ask_about_file(world, REGISTER("\"path\""), &asked);
	asked_fini(&asked);
	assert_true(exists(world, "FILE-1.eml"));
	policy_free(&world->policy);
	assert_false(exists(world, "FILE-1.eml"));
	assert_true(exists(world, "FILE.eml"));
	change_file(world, "FILE.eml", false);
	world_wait(world, fake_count(&world->fakes[0], "\"why\":\"shutdown\""));
	assert_false(world_has_event(world, "policy.shadow"));
}

static void test_file_that_cannot_have_a_second_name(void **state)
{
	struct world *world = *state;
	struct asked asked;

	change_file(world, "FILE-1.eml", true);
	ask_about_file(world, REGISTER("\"path\""), &asked);
	asked_fini(&asked);
	world_wait(world, world_has_event(world, "hook=message failure=storage"));
	assert_true(exists(world, "FILE-1.eml")); /* somebody else's */
	change_file(world, "FILE-1.eml", false);
	change_file(world, "FILE.eml", false);
}

static void test_descriptor_is_better_than_a_second_name(void **state)
{
	struct world *world = *state;
	struct asked asked;

	change_file(world, "FILE.eml", true);
	world->settings.spool_dir = world->directory;
	world->fakes[0].registration = REGISTER("\"path\",\"fd\"");
	start(world);
	asked_init(&asked, world);
	asked.request.hook = HOOK_MESSAGE;
	asked.request.message = &asked.message;
	asked.path = "FILE.eml";
	asked.body = "/dev/null";
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(&asked);
	world_wait(world, world_has_event(world, "hook=message verdict=accept"));
	world_wait(world, fake_count(&world->fakes[0], "\"body\":{\"mode\":\"fd\"}"));
	assert_int_equal(world->fakes[0].fds_len, 1);
	assert_int_equal(asked.paths_made, 0);
	change_file(world, "FILE.eml", false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_verdict_is_an_event_and_nothing_else),
		TEST(test_nobody_waits),
		TEST(test_a_shadow_alone_is_nobody),
		TEST(test_client_that_leaves_cancels_no_shadow),
		TEST(test_keep_labels_until_and_edits_have_no_effect),
		TEST(test_shadow_is_told_the_labels_of_others),
		TEST(test_bad_reply),
		TEST(test_timeout),
		TEST(test_lost_and_unavailable),
		TEST(test_no_credit_is_an_overload),
		TEST(test_counts_in_its_own_breaker),
		TEST(test_file_has_a_second_name_until_the_reply),
		TEST(test_file_is_removed_with_the_policy),
		TEST(test_file_that_cannot_have_a_second_name),
		TEST(test_descriptor_is_better_than_a_second_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
