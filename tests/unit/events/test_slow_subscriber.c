/* Subscribers that do not keep up: memory stays bounded, others are not disturbed, and what was
 * missed is told exactly: received + lost = emitted. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "harness.h"

#define RING_SIZE (1 << 20)
#define ALL	  "[\"*\"]"
#define NOW	  "\"now\""

/* With AddressSanitizer mallinfo2() says nothing; it has its own count. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t heap_in_use(void)
{
	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

static int open_stage(void **state)
{
	return stage_set_up_hub(state, RING_SIZE, 8);
}

static void test_stops_reading(void **state)
{
	struct stage *stage = *state;
	struct client c;
	size_t before;
	uint64_t head, oldest;

	client_subscribe(stage, &c, ALL, NOW, 1, 0);
	stage_publish_many(stage, 20000, 100); /* fills its buffers, and the ring several times */
	before = heap_in_use();
	stage_publish_many(stage, 180000, 100);
	assert_true(heap_in_use() < before + 65536);

	stage_hello(stage, &head, &oldest);
	client_read_until(&c, 200000);
	assert_int_equal(c.received + c.lost, 200000);
	assert_int_equal(c.gaps, 1);
	assert_true(c.lost > 150000 && c.lost < oldest);
	client_idle(&c);
	stage_publish(stage, EVENT_MAIL, 42, 0);
	assert_int_equal(client_event(&c, 200001), 42);
	client_close(&c);
}

/* Reads a little now and then while events go on: gap after gap, and still the sum is exact. */
static void test_reads_too_little(void **state)
{
	struct stage *stage = *state;
	struct client c;

	client_subscribe(stage, &c, ALL, NOW, 1, 0);
	for (int i = 0; i < 20; i++) {
		stage_publish_many(stage, 10000, 50);
		for (int n = 0; n < 3000; n++)
			client_read_one(&c);
	}
	client_read_until(&c, 200000);
	assert_int_equal(c.received + c.lost, 200000);
	assert_true(c.gaps > 3);
	client_close(&c);
}

static void test_one_stuck_the_other_not(void **state)
{
	struct stage *stage = *state;
	struct client stuck, quick, picky;

	client_subscribe(stage, &stuck, ALL, NOW, 1, 0);
	client_subscribe(stage, &quick, ALL, NOW, 1, 0);
	client_subscribe(stage, &picky, "[\"mail\"]", NOW, 1, 0);
	for (uint64_t i = 1; i <= 200; i++) {
		stage_publish(stage, EVENT_MAIL, (int64_t)i, 0);
		stage_publish_many(stage, 249, 100);
		client_read_until(&quick, i * 250);
		assert_int_equal(client_event(&picky, i * 250 - 249), i);
	}
	assert_int_equal(quick.received, 50000);
	assert_int_equal(quick.lost, 0);
	client_read_until(&stuck, 50000);
	assert_int_equal(stuck.received + stuck.lost, 50000);
	assert_true(stuck.lost > 0);
	client_close(&stuck);
	client_close(&quick);
	client_close(&picky);
}

/* Filters do not hide a gap, and it is counted before them. */
static void test_gap_under_a_filter(void **state)
{
	struct stage *stage = *state;
	struct client c;
	uint64_t head, oldest;

	client_subscribe(stage, &c, "[\"rcpt\"]", NOW, 1, 0);
	for (int i = 0; i < 200; i++) {
		stage_publish(stage, EVENT_DATA, i, 100);
		stage_publish_many(stage, 249, 100);
	}
	stage_hello(stage, &head, &oldest);
	client_read_until(&c, 50000);
	assert_int_equal(c.gaps, 1);
	/* what was neither received nor lost is what the filter kept back */
	assert_true(c.received + c.lost <= 50000);
	assert_true(c.received + c.lost >= 50000 - 200);
	client_close(&c);
}

static void test_closes_while_stuck(void **state)
{
	struct stage *stage = *state;
	struct client c, other;

	client_subscribe(stage, &c, ALL, NOW, 1, 0);
	stage_publish_many(stage, 10000, 100);
	client_close(&c);
	client_subscribe(stage, &other, ALL, NOW, 10001, 0);
	stage_publish_many(stage, 100, 100);
	client_read_until(&other, 10100);
	client_close(&other);
}

/* What a busy time needed is given back when nothing comes any more. */
static void test_idles(void **state)
{
	struct stage *stage = *state;
	struct client c;
	size_t before;

	client_subscribe(stage, &c, ALL, NOW, 1, 0);
	stage_publish_many(stage, 200, 100);
	client_read_until(&c, 200);
	json_decref(client_take(&c, "heartbeat"));
	before = heap_in_use();
	json_decref(client_take(&c, "heartbeat"));
	assert_true(heap_in_use() + 32768 < before);
	stage_publish_many(stage, 200, 100);
	client_read_until(&c, 400);
	client_close(&c);
}

/* The largest event there is reaches a subscriber whose buffer is partly full. */
static void test_largest_events(void **state)
{
	struct stage *stage = *state;
	struct client c;

	client_subscribe(stage, &c, ALL, NOW, 1, 0);
	for (int i = 0; i < 8; i++) {
		stage_publish(stage, EVENT_MAIL, i, 98000);
		stage_publish(stage, EVENT_MAIL, i, 10);
		stage_settle(stage);
	}
	client_read_until(&c, 16);
	assert_int_equal(c.received, 16);
	client_close(&c);
}

int main(void)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, open_stage, stage_tear_down)
	const struct CMUnitTest tests[] = {
		STAGED(test_stops_reading),
		STAGED(test_reads_too_little),
		STAGED(test_one_stuck_the_other_not),
		STAGED(test_gap_under_a_filter),
		STAGED(test_closes_while_stuck),
		STAGED(test_largest_events),
		STAGED(test_idles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
