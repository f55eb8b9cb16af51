#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/counters.h"

static void test_between_processes(void **state)
{
	struct counters *c = counters_new();
	pid_t pid;
	int status;

	(void)state;
	assert_non_null(c);
	assert_int_equal(counters_slots_seen(c), 0);
	atomic_store(&counters_slot(c, 0)->open, 5);
	counters_slot(c, 17);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		atomic_store(&counters_slot(c, 17)->open, 7);
		_exit(counters_open(c) == 12 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(counters_open(c), 12); /* the child's number is seen here */
	assert_int_equal(counters_slots_seen(c), 18);
	assert_int_equal(counters_spool(c), 0);
	atomic_store(&counters_slot(c, 0)->spool, (uint64_t)3 << 32);
	atomic_store(&counters_slot(c, 17)->spool, 5);
	assert_int_equal(counters_spool(c), ((uint64_t)3 << 32) + 5);
}

/* What is "now" goes with the process, what it has done stays. */
static void test_clear(void **state)
{
	struct counters *c = counters_new();
	struct counters_slot *slot = counters_slot(c, 0);

	(void)state;
	atomic_store(&slot->pid, 17);
	atomic_store(&slot->state, COUNTERS_SERVING);
	atomic_store(&slot->missing, 1);
	counter_add(&slot->open, 3);
	counter_add(&slot->sessions[COUNTERS_SESSION_POLICY], 3);
	counter_add(&slot->policies[63].outstanding, 2);
	counter_add(&slot->policies[63].late, 4);
	counter_add(&slot->deliveries[0].running, 2);
	counter_add(&slot->connections, 9);
	counters_slot_clear(slot);
	assert_int_equal(slot->pid, 0);
	assert_int_equal(slot->state, COUNTERS_EMPTY);
	assert_int_equal(slot->missing, 0);
	assert_int_equal(counters_open(c), 0);
	assert_int_equal(counter_get(&slot->sessions[COUNTERS_SESSION_POLICY]), 0);
	assert_int_equal(counter_get(&slot->policies[63].outstanding), 0);
	assert_int_equal(counter_get(&slot->policies[63].late), 4);
	assert_int_equal(counter_get(&slot->deliveries[0].running), 0);
	assert_int_equal(counter_get(&slot->connections), 9);
}

static void test_rows(void **state)
{
	struct counters *c = counters_new();
	char name[16];

	(void)state;
	assert_int_equal(counters_policy_row(c, "greylist"), 0);
	assert_int_equal(counters_policy_row(c, "scanner"), 1);
	assert_int_equal(counters_policy_row(c, "greylist"), 0);
	assert_int_equal(counters_delivery_row(c, "scanner"), 0);
	assert_string_equal(counters_policy_name(c, 1), "scanner");
	assert_string_equal(counters_policy_name(c, 2), "");
	for (unsigned i = 2; i < COUNTERS_ROWS + 3; i++) {
		snprintf(name, sizeof name, "p%u", i);
		assert_int_equal(counters_policy_row(c, name),
				 i < COUNTERS_ROWS - 1 ? i : COUNTERS_ROWS - 1);
	}
	assert_string_equal(counters_policy_name(c, COUNTERS_ROWS - 1), "other");
}

static void test_latency(void **state)
{
	struct counters *c = counters_new();
	struct counters_latency *l = &counters_slot(c, 0)->deliveries[0].latency;

	(void)state;
	counters_latency_add(l, 0.00005); /* a bound belongs to its bucket */
	counters_latency_add(l, 0.000051);
	counters_latency_add(l, 120);
	counters_latency_add(l, 121);
	counters_latency_add(l, -1); /* a clock that was set back */
	assert_int_equal(counter_get(&l->buckets[0]), 2);
	assert_int_equal(counter_get(&l->buckets[1]), 1);
	assert_int_equal(counter_get(&l->buckets[COUNTERS_BUCKETS - 1]), 1);
	assert_int_equal(counter_get(&l->buckets[COUNTERS_BUCKETS]), 1);
	assert_int_equal(counter_get(&l->sum), 241000101);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_between_processes),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_latency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
