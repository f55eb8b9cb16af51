#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "monitor/quantile.h"

static const double bounds[] = {1, 2, 5, 10};

static void check(const uint64_t buckets[5], double share, double expected)
{
	assert_float_equal(quantile(bounds, buckets, 4, share), expected, 1e-9);
}

static void test_quantile(void **state)
{
	(void)state;
	check((const uint64_t[5]){0}, 0.5, -1);
	/* One entry lies anywhere in its bucket. */
	check((const uint64_t[5]){1}, 0.5, 0.5);
	check((const uint64_t[5]){0, 0, 1}, 0.5, 3.5);
	check((const uint64_t[5]){0, 0, 1}, 0.99, 2 + 3 * 0.99);
	check((const uint64_t[5]){10, 0, 10}, 0.5, 1);
	check((const uint64_t[5]){10, 0, 10}, 0.75, 3.5);
	check((const uint64_t[5]){98, 0, 0, 2}, 0.99, 7.5);
	check((const uint64_t[5]){10, 10, 10, 10}, 1, 10);
	/* Above all bounds nothing more is known. */
	check((const uint64_t[5]){0, 0, 0, 0, 3}, 0.5, 10);
	check((const uint64_t[5]){99, 0, 0, 0, 1}, 0.999, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_quantile)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
