#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/policy_ids.h"

static void test_ids_increase_and_are_found(void **state)
{
	struct policy_ids ids = {0};
	int values[100];

	(void)state;
	assert_null(policy_ids_find(&ids, 0));
	assert_null(policy_ids_find(&ids, 7));
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(policy_ids_add(&ids, &values[i]), i + 1);
	for (uint64_t i = 0; i < 100; i++)
		assert_ptr_equal(policy_ids_find(&ids, i + 1)->value, &values[i]);
	assert_null(policy_ids_find(&ids, 0));
	assert_null(policy_ids_find(&ids, 101));
	assert_null(policy_ids_find(&ids, UINT64_MAX));
	policy_ids_fini(&ids);
}

static void test_an_id_is_never_used_twice(void **state)
{
	struct policy_ids ids = {0};
	uint64_t id = policy_ids_add(&ids, NULL), before = id;

	(void)state;
	policy_ids_remove(&ids, policy_ids_find(&ids, id));
	assert_null(policy_ids_find(&ids, id));
	policy_ids_fini(&ids);
	id = policy_ids_add(&ids, NULL);
	assert_true(id > before);
	policy_ids_fini(&ids);
}

/* One that never ends stays where it is while thousands come and go around it. */
static void test_old_ids_survive(void **state)
{
	struct policy_ids ids = {0};
	int old, other;
	uint64_t first = policy_ids_add(&ids, &old), last = first;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		uint64_t id = policy_ids_add(&ids, &other);

		assert_true(id > last);
		last = id;
		assert_ptr_equal(policy_ids_find(&ids, first)->value, &old);
		assert_ptr_equal(policy_ids_find(&ids, id)->value, &other);
		policy_ids_remove(&ids, policy_ids_find(&ids, id));
	}
	assert_int_equal(ids.used, 1);
	assert_true(ids.size <= 16);
	policy_ids_fini(&ids);
}

static void test_growing_keeps_scattered_ids(void **state)
{
	struct policy_ids ids = {0};
	uint64_t kept[200];

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		for (size_t j = 0; j < i % 7; j++)
			policy_ids_remove(&ids, policy_ids_find(&ids, policy_ids_add(&ids, NULL)));
		kept[i] = policy_ids_add(&ids, &kept[i]);
	}
	for (size_t i = 0; i < 200; i++)
		assert_ptr_equal(policy_ids_find(&ids, kept[i])->value, &kept[i]);
	assert_int_equal(ids.used, 200);
	policy_ids_fini(&ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_increase_and_are_found),
		cmocka_unit_test(test_an_id_is_never_used_twice),
		cmocka_unit_test(test_old_ids_survive),
		cmocka_unit_test(test_growing_keeps_scattered_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
