#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocol/failure.h"

static void test_words_go_both_ways(void **state)
{
	enum failure failure;

	(void)state;
	for (unsigned i = 0; i < FAILURE_MAX; i++) {
		assert_true(failure_from_word(failure_word((enum failure)i), &failure));
		assert_int_equal(failure, i);
	}
}

static void test_unknown_words_leave_the_result(void **state)
{
	static const char *const words[] = {"", "Timeout", "timeout ", "time", "answered"};
	enum failure failure = FAILURE_LOST;

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		assert_false(failure_from_word(words[i], &failure));
	assert_int_equal(failure, FAILURE_LOST);
}

/* A service that answers nonsense, or was never shown the message, might have refused it. */
static void test_the_operator_chooses_for_the_first_four_only(void **state)
{
	static const char *const choices[] = {"unavailable", "overload", "timeout", "lost"};
	static const char *const fixed[] = {"bad_reply", "internal", "storage", "late"};
	enum failure failure;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_true(failure_from_word(choices[i], &failure));
		assert_true(failure < FAILURE_CHOICES);
		assert_true(failure_from_word(fixed[i], &failure));
		assert_true(failure >= FAILURE_CHOICES);
	}
	assert_int_equal(FAILURE_MAX, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_go_both_ways),
		cmocka_unit_test(test_unknown_words_leave_the_result),
		cmocka_unit_test(test_the_operator_chooses_for_the_first_four_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
