/* Where a reader begins: how many events come from there, and what finding it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "events/ring.h"

static void push(struct ring *r, size_t len)
{
	static const char body[128];

	ring_push(r, 0, body, len);
}

static void test_seek_counts_events(void **state)
{
	struct ring *r = ring_new(65536);
	struct ring_cursor cursor;

	(void)state;
	for (int i = 0; i < 10; i++)
		push(r, 100);
	ring_lose(r, 5);
	for (int i = 0; i < 3; i++)
		push(r, 100);
	assert_int_equal(ring_seek(r, 0, &cursor), 13);
	assert_int_equal(cursor.seq, 1);
	assert_int_equal(ring_seek(r, 10, &cursor), 4);
	assert_int_equal(ring_seek(r, 11, &cursor), 3);
	assert_int_equal(ring_seek(r, 18, &cursor), 1);
	assert_int_equal(ring_seek(r, 19, &cursor), 0);
	assert_int_equal(cursor.seq, 19);
	assert_int_equal(ring_seek(r, 500, &cursor), 0);
	assert_int_equal(cursor.seq, 19);
	ring_free(&r);
}

static double seek_time(const struct ring *r)
{
	struct ring_cursor cursor;
	struct timespec from, to;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(ring_seek(r, ring_head(r) - i, &cursor), i + 1);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* Subscribers that come back all at once find their places in a large ring as fast as in a small
 * one: 64 times as many records before them cost not 64 times as much. The fastest of some turns
 * each, one after the other, so that other work on the machine counts for both. */
static void test_seek_in_a_large_ring(void **state)
{
	struct ring *small = ring_new(1 << 19), *large = ring_new(1 << 25);
	double fast = 1e9, slow = 1e9;

	(void)state;
	for (int i = 0; i < (1 << 25) / 64; i++) {
		push(large, 40);
		if (i < (1 << 19) / 64)
			push(small, 40);
	}
	for (int i = 0; i < 20; i++) {
		double here = seek_time(small), there = seek_time(large);

		fast = here < fast ? here : fast;
		slow = there < slow ? there : slow;
	}
	if (slow > fast * 8)
		fail_msg("%.1f times as slow", slow / fast);
	ring_free(&small);
	ring_free(&large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seek_counts_events),
		cmocka_unit_test(test_seek_in_a_large_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
