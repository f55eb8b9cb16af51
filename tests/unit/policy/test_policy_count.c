/* What the numbers say of a service; and that those of "now" come back to nothing. */
#include "world.h"

#include <string.h>

#include "shared/counters.h"

#define REQUEST "\"type\":\"request\""

struct counted {
	struct world *world;
	struct counters *counters;
	struct counters_policy *one;
};

static struct counted begin(void **state)
{
	struct counted c = {.world = *state, .counters = counters_new()};

	c.one = &counters_slot(c.counters, 0)->policies[counters_policy_row(c.counters, "one")];
	c.world->services[0].counters = c.one;
	c.world->settings.services_len = 1;
	c.world->fakes[1].registration = NULL;
	return c;
}

static uint64_t answers(const struct counters_policy_hook *hook)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= COUNTERS_BUCKETS; i++)
		n += counter_get(&hook->latency.buckets[i]);
	return n;
}

static void expect_now(const struct counted *c, uint64_t connections, uint64_t outstanding,
		       uint64_t waiting)
{
	assert_int_equal(counter_get(&c->one->connections), connections);
	assert_int_equal(counter_get(&c->one->outstanding), outstanding);
	assert_int_equal(counter_get(&c->one->waiting), waiting);
}

/* A question that the service does not answer. */
static void ask_in_vain(const struct counted *c, struct asked *asked)
{
	c->world->fakes[0].reply = NULL;
	world_start(c->world);
	asked_init(asked, c->world);
	assert_false(asked_start(asked));
}

static void ask_to_the_end(const struct counted *c)
{
	struct asked asked;

	asked_init(&asked, c->world);
	assert_false(asked_start(&asked));
	world_wait(c->world, asked.verdicts);
	asked_fini(&asked);
}

static void expect_nothing_now(struct counted *c)
{
	policy_free(&c->world->policy);
	expect_now(c, 0, 0, 0);
	assert_int_equal(counter_get(&c->one->breaker), 0);
}

static void test_answers(void **state)
{
	struct counted c = begin(state);
	struct counters_policy_hook *rcpt = &c.one->hooks[HOOK_RCPT];
	struct asked asked;

	c.world->fakes[0].reply = FAKE_REPLY("\"verdict\":\"reject\"");
	world_start(c.world);
	expect_now(&c, 1, 0, 0);
	for (int i = 0; i < 2; i++) {
		asked_init(&asked, c.world);
		assert_false(asked_start(&asked));
		expect_now(&c, 1, 1, 0);
		world_wait(c.world, asked.verdicts);
		asked_fini(&asked);
	}
	assert_int_equal(counter_get(&rcpt->verdicts[VERDICT_REJECT]), 2);
	assert_int_equal(counter_get(&rcpt->verdicts[VERDICT_ACCEPT]), 0);
	assert_int_equal(answers(rcpt), 2);
	assert_int_equal(answers(&c.one->hooks[HOOK_MAIL]), 0);
	for (unsigned i = 0; i < FAILURE_MAX; i++)
		assert_int_equal(counter_get(&rcpt->failures[i]), 0);
	expect_now(&c, 1, 0, 0);
	expect_nothing_now(&c);
}

/* A reply that breaks the protocol, and one that comes to no question. */
static void test_bad_replies(void **state)
{
	struct counted c = begin(state);
	struct counters_policy_hook *rcpt = &c.one->hooks[HOOK_RCPT];

	c.world->fakes[0].reply = FAKE_REPLY("\"verdict\":\"perhaps\"");
	world_start(c.world);
	ask_to_the_end(&c);
	assert_int_equal(counter_get(&c.one->bad), 1);
	assert_int_equal(counter_get(&rcpt->failures[FAILURE_BAD_REPLY]), 1);
	assert_int_equal(answers(rcpt), 0);
	fake_answer(&c.world->fakes[0], FAKE_ACCEPT, 4711);
	world_wait(c.world, counter_get(&c.one->unknown) == 1);
	expect_now(&c, 1, 0, 0);
	expect_nothing_now(&c);
}

/* A question that nobody waits for is still the service's work, until its late reply. */
static void test_late(void **state)
{
	struct counted c = begin(state);
	struct asked asked;

	c.world->services[0].timeout = 0.2;
	ask_in_vain(&c, &asked);
	world_wait(c.world, asked.verdicts);
	asked_fini(&asked);
	assert_int_equal(counter_get(&c.one->hooks[HOOK_RCPT].failures[FAILURE_TIMEOUT]), 1);
	expect_now(&c, 1, 1, 0);
	fake_answer(&c.world->fakes[0], FAKE_ACCEPT, fake_id(&c.world->fakes[0], 0));
	world_wait(c.world, counter_get(&c.one->late) == 1);
	expect_now(&c, 1, 0, 0);
	expect_nothing_now(&c);
}

/* A client that leaves: nothing has failed, and nothing was answered. */
static void test_cancelled(void **state)
{
	struct counted c = begin(state);
	struct counters_policy_hook *rcpt = &c.one->hooks[HOOK_RCPT];
	struct asked asked;

	ask_in_vain(&c, &asked);
	policy_cancel(c.world->policy, asked.id);
	asked_fini(&asked);
	expect_now(&c, 1, 1, 0);
	for (unsigned i = 0; i < FAILURE_MAX; i++)
		assert_int_equal(counter_get(&rcpt->failures[i]), 0);
	assert_int_equal(answers(rcpt), 0);
	expect_nothing_now(&c);
}

/* The service dies with a question, and the next ones wait for its successor or fail. */
static void test_lost(void **state)
{
	struct counted c = begin(state);
	struct counters_policy_hook *rcpt = &c.one->hooks[HOOK_RCPT];
	struct asked asked;

	ask_in_vain(&c, &asked);
	world_wait(c.world, fake_count(&c.world->fakes[0], REQUEST) == 1);
	fake_stop(&c.world->fakes[0]);
	/* Its second attempt is in the queue. */
	world_wait(c.world, counter_get(&c.one->waiting) == 1);
	expect_now(&c, 0, 0, 1);
	world_wait(c.world, asked.verdicts);
	asked_fini(&asked);
	assert_int_equal(counter_get(&rcpt->failures[FAILURE_LOST]), 1);
	expect_now(&c, 0, 0, 0);
	ask_to_the_end(&c);
	assert_int_equal(counter_get(&rcpt->failures[FAILURE_UNAVAILABLE]), 1);
	expect_now(&c, 0, 0, 0);
	expect_nothing_now(&c);
}

/* A service that drains goes on with what it has, beside its successor. */
static void test_drained(void **state)
{
	struct counted c = begin(state);
	static const char drain[] = "{\"type\":\"drain\"}\n";
	struct asked asked;

	ask_in_vain(&c, &asked);
	world_wait(c.world, fake_count(&c.world->fakes[0], REQUEST) == 1);
	fake_send(&c.world->fakes[0], drain, strlen(drain));
	world_wait(c.world, counter_get(&c.one->connections) == 2);
	expect_now(&c, 2, 1, 0);
	fake_stop(&c.world->fakes[0]);
	world_wait(c.world, asked.verdicts);
	asked_fini(&asked);
	expect_now(&c, 0, 0, 0);
	expect_nothing_now(&c);
}

/* What is still open when the worker ends. */
static void test_end(void **state)
{
	struct counted c = begin(state);
	struct asked asked;

	ask_in_vain(&c, &asked);
	policy_cancel(c.world->policy, asked.id);
	asked_fini(&asked);
	expect_nothing_now(&c);
}

/* The breaker opens after twenty failures, and is closed when the worker ends. */
static void test_breaker(void **state)
{
	struct counted c = begin(state);

	c.world->fakes[0].reply = FAKE_REPLY("\"verdict\":\"perhaps\"");
	world_start(c.world);
	for (int i = 0; i < 20; i++)
		ask_to_the_end(&c);
	assert_int_equal(counter_get(&c.one->breaker), 2);
	expect_nothing_now(&c);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_answers), TEST(test_bad_replies), TEST(test_late), TEST(test_cancelled),
		TEST(test_lost),    TEST(test_drained),	    TEST(test_end),  TEST(test_breaker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
