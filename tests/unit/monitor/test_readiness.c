#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "monitor/readiness.h"

struct fixture {
	struct counters *c;
	struct readiness r;
	bool hangs; /* worker 1 */
};

/* Two workers that serve, in the first place of each. */
static struct fixture two_workers(void)
{
	struct fixture f = {.c = counters_new()};

	assert_non_null(f.c);
	atomic_store(&counters_gateway(f.c)->workers, 2);
	for (unsigned i = 0; i < 2; i++)
		atomic_store(&counters_slot(f.c, i * COUNTERS_GENERATIONS)->state,
			     COUNTERS_SERVING);
	counters_policy_row(f.c, "blocklist");
	counters_policy_row(f.c, "scanner");
	return f;
}

static void set_state(struct fixture *f, unsigned slot, enum counters_state state)
{
	atomic_store(&counters_slot(f->c, slot)->state, state);
}

/* Ready when `reasons` is "". */
static void expect(struct fixture *f, uint64_t now, const char *reasons)
{
	struct buf got;

	for (unsigned i = 0; i < 3 * COUNTERS_GENERATIONS; i++) {
		if (!f->hangs || i / COUNTERS_GENERATIONS != 1)
			atomic_store(&counters_slot(f->c, i)->alive, now);
	}
	buf_init(&got, 4096);
	assert_int_equal(readiness_look(&f->r, f->c, now, &got), !*reasons);
	buf_append(&got, "", 1);
	assert_string_equal(buf_head(&got), reasons);
	buf_fini(&got);
	assert_int_equal(readiness_look(&f->r, f->c, now, NULL), !*reasons);
}

static void test_start(void **state)
{
	struct fixture f = two_workers();

	(void)state;
	set_state(&f, 0, COUNTERS_STARTING);
	set_state(&f, COUNTERS_GENERATIONS, COUNTERS_STARTING);
	expect(&f, 1000, "no worker accepts connections yet\n");
	expect(&f, 2000, "no worker accepts connections yet\n"); /* however long it takes */
	set_state(&f, 0, COUNTERS_SERVING);
	set_state(&f, COUNTERS_GENERATIONS, COUNTERS_SERVING);
	expect(&f, 2001, "");
}

static void test_worker_away(void **state)
{
	struct fixture f = two_workers();

	(void)state;
	expect(&f, 1000, "");
	set_state(&f, COUNTERS_GENERATIONS, COUNTERS_EMPTY);
	expect(&f, 1010, "");
	expect(&f, 1011, "worker 1: has accepted no connections for 11 s\n");
	/* It comes and goes: what counts is when it served last. */
	set_state(&f, COUNTERS_GENERATIONS, COUNTERS_STARTING);
	expect(&f, 1012, "worker 1: has accepted no connections for 12 s\n");
	set_state(&f, COUNTERS_GENERATIONS, COUNTERS_SERVING);
	expect(&f, 1013, "");
	set_state(&f, 0, COUNTERS_EMPTY);
	set_state(&f, COUNTERS_GENERATIONS, COUNTERS_EMPTY);
	expect(&f, 1023, "");
	expect(&f, 1024,
	       "worker 0: has accepted no connections for 11 s\n"
	       "worker 1: has accepted no connections for 11 s\n");
}

static void test_worker_hangs(void **state)
{
	struct fixture f = two_workers();

	(void)state;
	expect(&f, 1000, "");
	f.hangs = true;
	for (uint64_t now = 1001; now <= 1013; now++)
		expect(&f, now, "");
	expect(&f, 1014, "worker 1: has accepted no connections for 11 s\n");
	f.hangs = false;
	expect(&f, 1015, "");
}

static void test_reload(void **state)
{
	struct fixture f = two_workers();

	(void)state;
	expect(&f, 1000, "");
	/* The old process goes on with its sessions, the new one serves. */
	set_state(&f, 0, COUNTERS_RETIRING);
	set_state(&f, 1, COUNTERS_STARTING);
	expect(&f, 1010, "");
	set_state(&f, 1, COUNTERS_SERVING);
	expect(&f, 1100, "");
	/* A worker more has as long as one that died. */
	atomic_store(&counters_gateway(f.c)->workers, 3);
	set_state(&f, 2 * COUNTERS_GENERATIONS, COUNTERS_STARTING);
	expect(&f, 1110, "");
	expect(&f, 1120, "");
	expect(&f, 1121, "worker 2: has accepted no connections for 11 s\n");
	/* One less is no matter. */
	atomic_store(&counters_gateway(f.c)->workers, 2);
	expect(&f, 1122, "");
}

static void test_stopping(void **state)
{
	struct fixture f = two_workers();

	(void)state;
	expect(&f, 1000, "");
	atomic_store(&counters_gateway(f.c)->stopping, 1);
	expect(&f, 1000, "stopping\n");
}

static void test_services(void **state)
{
	struct fixture f = two_workers();
	struct counters_slot *slot = counters_slot(f.c, COUNTERS_GENERATIONS);

	(void)state;
	expect(&f, 1000, "");
	atomic_store(&slot->missing, 2);
	expect(&f, 1000, "worker 1: required policy scanner is away\n");
	atomic_store(&counters_slot(f.c, 0)->missing, 1);
	expect(&f, 1000,
	       "worker 0: required policy blocklist is away\n"
	       "worker 1: required policy scanner is away\n");
	atomic_store(&counters_slot(f.c, 0)->missing, 0);
	/* The process that leaves has no say, its successor has. */
	set_state(&f, COUNTERS_GENERATIONS, COUNTERS_DRAINING);
	set_state(&f, COUNTERS_GENERATIONS + 1, COUNTERS_SERVING);
	expect(&f, 1001, "");
	atomic_store(&counters_slot(f.c, COUNTERS_GENERATIONS + 1)->missing, COUNTERS_ROWS + 1);
	expect(&f, 1001, ""); /* no row: nothing that could be named */
}

/* A `reasons` that is full loses lines, not the answer. */
static void test_full(void **state)
{
	struct fixture f = two_workers();
	struct buf reasons;

	(void)state;
	atomic_store(&counters_gateway(f.c)->stopping, 1);
	atomic_store(&counters_slot(f.c, 0)->missing, 1);
	buf_init(&reasons, 12);
	assert_false(readiness_look(&f.r, f.c, 1000, &reasons));
	assert_int_equal(reasons.len, strlen("stopping\n"));
	buf_fini(&reasons);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),	     cmocka_unit_test(test_worker_away),
		cmocka_unit_test(test_worker_hangs), cmocka_unit_test(test_reload),
		cmocka_unit_test(test_stopping),     cmocka_unit_test(test_services),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
