/* What the numbers say of a delivery; and that none is left running. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "delivery/delivery.h"
#include "delivery/io_pool.h"
#include "scratch.h"
#include "shared/counters.h"
#include "spooled.h"

static struct delivery_transaction *no_transaction;

static void on_done(void *arg, const struct delivery_result *result)
{
	*(int *)arg = result->code;
}

static struct delivery_job *start(struct delivery *d, int *code)
{
	static const struct hook_mailbox box = {.address = {"ann@example.org", 15},
						.local = {"ann", 3},
						.domain = {"example.org", 11}};
	struct delivery_envelope envelope = {.transaction = SPOOLED_ID,
					     .sender = &box,
					     .recipients = &box,
					     .recipients_len = 1,
					     .received = "Received: by b\r\n"};
	struct spool_message *message = spooled_make("hi\r\n", 4, 4);
	struct delivery_job *job;

	delivery_start(d, &no_transaction, &envelope, &message, on_done, code, &job);
	return job;
}

static struct delivery *make(struct ev_loop *loop, struct io_pool *pool, const char *maildir,
			     struct counters_delivery *counters)
{
	struct delivery_settings settings = {.name = "place",
					     .maildir = maildir,
					     .discard = !maildir,
					     .hostname = "mx1.example.org",
					     .counters = counters};
	char error[200];
	struct delivery *d = delivery_new(loop, &settings, pool, error, sizeof error);

	assert_non_null(d);
	return d;
}

static uint64_t timed(const struct counters_delivery *d)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= COUNTERS_BUCKETS; i++)
		n += counter_get(&d->latency.buckets[i]);
	return n;
}

static void test_results(void **state)
{
	struct counters_slot *slot = counters_slot(counters_new(), 0);
	struct counters_delivery *counted = &slot->deliveries[0];
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct delivery *d = make(loop, NULL, NULL, counted);
	int first = 0, second = 0;

	(void)state;
	start(d, &first);
	start(d, &second);
	assert_int_equal(counter_get(&counted->running), 2);
	assert_int_equal(timed(counted), 0);
	while (!first || !second)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(counter_get(&counted->running), 0);
	assert_int_equal(counter_get(&counted->results[0]), 2);
	assert_int_equal(timed(counted), 2);
	/* Nobody waits for the result: there is none of this kind. */
	delivery_abandon(start(d, &first));
	delivery_free(&d);
	ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(counter_get(&counted->running), 0);
	assert_int_equal(counter_get(&counted->results[0]), 2);
	ev_loop_destroy(loop);
}

static void test_maildir(void **state)
{
	struct counters_slot *slot = counters_slot(counters_new(), 0);
	struct counters_delivery *counted = &slot->deliveries[0];
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct io_pool *pool = io_pool_new(loop, 1);
	char *dir = scratch_new(), *inbox = strdup(scratch_path(dir, "inbox"));
	struct delivery *d = make(loop, pool, inbox, counted);
	int good = 0, bad = 0;

	(void)state;
	start(d, &good);
	while (!good)
		ev_run(loop, EVRUN_ONCE);
	scratch_remove(dir);
	start(d, &bad);
	while (!bad)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(good, 250);
	assert_int_equal(bad / 100, 4);
	assert_int_equal(counter_get(&counted->results[0]), 1);
	assert_int_equal(counter_get(&counted->results[2]), 1);
	assert_int_equal(timed(counted), 2);
	/* The client is gone, and the message is stored or not: that is a result. */
	delivery_abandon(start(d, &bad));
	delivery_free(&d);
	io_pool_free(&pool);
	assert_int_equal(counter_get(&counted->running), 0);
	assert_int_equal(counter_get(&counted->results[2]), 2);
	ev_loop_destroy(loop);
	free(inbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_results, spooled_setup, spooled_teardown),
		cmocka_unit_test_setup_teardown(test_maildir, spooled_setup, spooled_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
