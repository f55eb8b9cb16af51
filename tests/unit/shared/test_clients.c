#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/clients.h"

static void test_keys(void **state)
{
	const unsigned char v4[4] = {192, 0, 2, 1}, other[4] = {192, 0, 2, 2}, zero[16] = {0};
	const unsigned char v6[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 9},
			    near[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 7};
	const unsigned char far[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 2, 9};

	(void)state;
	assert_true(clients_key(v4, 4) != clients_key(other, 4));
	assert_true(clients_key(v6, 16) == clients_key(near, 16));
	assert_true(clients_key(v6, 16) != clients_key(far, 16));
	assert_true(clients_key(zero, 16) != 0);
}

static void test_sum_over_workers(void **state)
{
	struct clients *c = clients_new(3, 1024);
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(clients_add(c, 0, 7), 1);
	assert_int_equal(clients_add(c, 0, 7), 2);
	assert_int_equal(clients_add(c, 1, 8), 1);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(clients_add(c, 2, 7) == 3 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(clients_add(c, 1, 7), 4);
	clients_clear(c, 2); /* the child is gone */
	clients_remove(c, 1, 7);
	assert_int_equal(clients_add(c, 1, 7), 3);
	clients_remove(c, 2, 7); /* never below 0 */
	assert_int_equal(clients_add(c, 2, 7), 4);
}

/* Tables of slots that nobody uses are not touched: they would cost a page fault each. */
static void test_unused_tables_cost_nothing(void **state)
{
	const unsigned slots = 2048, places = 16384;
	struct clients *c = clients_new(slots, places);
	unsigned char present[1];
	const char *memory = (const char *)c;
	size_t resident = 0;

	(void)state;
	for (uint64_t key = 1; key <= 10; key++) {
		assert_int_equal(clients_add(c, 8, key), 1);
		assert_int_equal(clients_add(c, 2040, key), 2);
	}
	for (size_t at = 0; at < (size_t)slots * places * 16; at += 4096) {
		assert_int_equal(mincore((void *)(uintptr_t)(memory + at), 4096, present), 0);
		resident += present[0] & 1;
	}
	assert_in_range(resident, 1, 32);
	clients_clear(c, 8);
	for (uint64_t key = 1; key <= 10; key++)
		assert_int_equal(clients_add(c, 2040, key), 2);
	assert_int_equal(clients_add(c, 8, 1), 3);
}

/* Against plain counters, with more clients over time than there are places. */
static void test_model(void **state)
{
	static unsigned counts[100000];
	struct clients *c = clients_new(1, 4096);
	static uint64_t open[1000];
	size_t n = 0;

	(void)state;
	srandom(3);
	for (int turn = 0; turn < 300000; turn++) {
		if (n < 1000 && (random() % 2 || !n)) {
			uint64_t key = 1 + (uint64_t)random() % 99999;

			counts[key]++;
			open[n++] = key;
			assert_int_equal(clients_add(c, 0, key), counts[key]);
		} else {
			size_t i = (size_t)random() % n;

			clients_remove(c, 0, open[i]);
			counts[open[i]]--;
			open[i] = open[--n];
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_sum_over_workers),
		cmocka_unit_test(test_unused_tables_cost_nothing),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
