#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/policy_breaker.h"

static void ask(struct policy_breaker *b, double now, unsigned n, bool failed)
{
	unsigned probe;

	for (unsigned i = 0; i < n; i++) {
		assert_true(policy_breaker_admit(b, now, &probe));
		policy_breaker_take(b, now, probe, failed);
	}
}

static void test_few_questions_do_not_open_it(void **state)
{
	struct policy_breaker b = {0};

	(void)state;
	ask(&b, 100, 19, true);
	assert_int_equal(b.state, BREAKER_CLOSED);
	ask(&b, 100, 1, true);
	assert_int_equal(b.state, BREAKER_OPEN);
}

static void test_half_of_them(void **state)
{
	struct policy_breaker b = {0};

	(void)state;
	ask(&b, 100, 30, false);
	ask(&b, 105, 29, true);
	assert_int_equal(b.state, BREAKER_CLOSED);
	/* An answer is never what opens it. */
	ask(&b, 105, 1, false);
	ask(&b, 105, 1, true);
	assert_int_equal(b.state, BREAKER_CLOSED);
	ask(&b, 105, 1, true);
	assert_int_equal(b.state, BREAKER_OPEN);
}

static void test_within_ten_seconds(void **state)
{
	struct policy_breaker b = {0};

	(void)state;
	ask(&b, 100.9, 19, true);
	ask(&b, 110.0, 1, true);
	assert_int_equal(b.state, BREAKER_CLOSED);
	ask(&b, 119.9, 18, true);
	assert_int_equal(b.state, BREAKER_CLOSED);
	ask(&b, 119.9, 1, true);
	assert_int_equal(b.state, BREAKER_OPEN);
}

static void test_pauses_double(void **state)
{
	static const double pauses[] = {5, 10, 20, 40, 60, 60};
	struct policy_breaker b = {0};
	double now = 100;
	unsigned probe;

	(void)state;
	ask(&b, now, 20, true);
	for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
		assert_false(policy_breaker_admit(&b, now + pauses[i] - 0.1, &probe));
		now += pauses[i];
		ask(&b, now, 1, true);
		assert_int_equal(b.state, BREAKER_OPEN);
	}
	/* Once closed, it begins with the shortest. */
	ask(&b, now + 60, 3, false);
	assert_int_equal(b.state, BREAKER_CLOSED);
	ask(&b, now + 60, 19, true);
	assert_int_equal(b.state, BREAKER_CLOSED);
	ask(&b, now + 60, 1, true);
	assert_false(policy_breaker_admit(&b, now + 64.9, &probe));
	assert_true(policy_breaker_admit(&b, now + 65, &probe));
}

static void test_three_probes(void **state)
{
	struct policy_breaker b = {0};
	unsigned probes[3], probe, old;

	(void)state;
	assert_true(policy_breaker_admit(&b, 100, &old));
	ask(&b, 100, 20, true);
	policy_breaker_try(&b);
	for (int i = 0; i < 3; i++)
		assert_true(policy_breaker_admit(&b, 101, &probes[i]));
	assert_false(policy_breaker_admit(&b, 101, &probe));
	/* A late failure from before says nothing, and takes no place. */
	policy_breaker_take(&b, 101, old, true);
	policy_breaker_forget(&b, old);
	assert_false(policy_breaker_admit(&b, 101, &probe));
	policy_breaker_forget(&b, probes[0]);
	assert_true(policy_breaker_admit(&b, 101, &probes[0]));
	policy_breaker_take(&b, 101, probes[0], false);
	policy_breaker_take(&b, 101, probes[1], false);
	assert_int_equal(b.state, BREAKER_HALF_OPEN);
	policy_breaker_take(&b, 101, probes[2], true);
	assert_int_equal(b.state, BREAKER_OPEN);
	/* Nor do the probes of another half-open time. */
	policy_breaker_try(&b);
	policy_breaker_take(&b, 101, probes[1], true);
	policy_breaker_forget(&b, probes[1]);
	ask(&b, 101, 3, false);
	assert_int_equal(b.state, BREAKER_CLOSED);
	policy_breaker_try(&b);
	assert_string_equal(policy_breaker_word(b.state), "closed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_questions_do_not_open_it),
		cmocka_unit_test(test_half_of_them),
		cmocka_unit_test(test_within_ten_seconds),
		cmocka_unit_test(test_pauses_double),
		cmocka_unit_test(test_three_probes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
