#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocol/hook.h"

static void test_words_go_both_ways(void **state)
{
	enum hook hook;
	enum hook_body_mode mode;

	(void)state;
	for (unsigned i = 0; i < HOOK_MAX; i++) {
		assert_true(hook_from_word(hook_word((enum hook)i), &hook));
		assert_int_equal(hook, i);
	}
	for (unsigned i = 0; i < HOOK_BODY_MAX; i++) {
		assert_true(hook_body_mode_from_word(hook_body_mode_word((enum hook_body_mode)i),
						     &mode));
		assert_int_equal(mode, i);
	}
}

static void test_unknown_words_leave_the_result(void **state)
{
	static const char *const words[] = {"", "RCPT", "rcpt ", "rcp", "login", "socket"};
	enum hook hook = HOOK_DATA;
	enum hook_body_mode mode = HOOK_BODY_PATH;

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		assert_false(hook_from_word(words[i], &hook));
		assert_false(hook_body_mode_from_word(words[i], &mode));
	}
	assert_int_equal(hook, HOOK_DATA);
	assert_int_equal(mode, HOOK_BODY_PATH);
}

static void test_words_of_the_wire(void **state)
{
	(void)state;
	assert_string_equal(hook_word(HOOK_CONNECT), "connect");
	assert_string_equal(hook_word(HOOK_DISCONNECT), "disconnect");
	assert_string_equal(hook_body_mode_word(HOOK_BODY_INLINE), "inline");
	assert_string_equal(disconnect_reason_word(DISCONNECT_QUIT), "quit");
	assert_string_equal(disconnect_reason_word(DISCONNECT_SHUTDOWN), "shutdown");
	assert_string_equal(hook_fact_word(HOOK_FACT_CLIENT), "client");
	assert_string_equal(hook_fact_word(HOOK_FACT_RECIPIENTS), "recipients");
}

static void test_facts_go_both_ways(void **state)
{
	enum hook_fact fact = HOOK_FACT_MAIL;

	(void)state;
	assert_false(hook_fact_from_word("", &fact));
	assert_false(hook_fact_from_word("client.", &fact));
	assert_false(hook_fact_from_word("Client", &fact));
	assert_int_equal(fact, HOOK_FACT_MAIL);
	for (unsigned i = 0; i < HOOK_FACT_MAX; i++) {
		assert_true(hook_fact_from_word(hook_fact_word((enum hook_fact)i), &fact));
		assert_int_equal(fact, i);
	}
}

static void test_facts_of_a_transaction_are_there_within_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HOOK_MAX; i++) {
		unsigned facts = hook_facts((enum hook)i);
		bool mail = i >= HOOK_RCPT && i <= HOOK_MESSAGE;
		bool recipients = i == HOOK_DATA || i == HOOK_MESSAGE;

		assert_int_equal(!!(facts & 1u << HOOK_FACT_MAIL), mail);
		assert_int_equal(!!(facts & 1u << HOOK_FACT_RECIPIENTS), recipients);
		facts |= 1u << HOOK_FACT_MAIL | 1u << HOOK_FACT_RECIPIENTS;
		assert_int_equal(facts, HOOK_FACTS_ALL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_go_both_ways),
		cmocka_unit_test(test_unknown_words_leave_the_result),
		cmocka_unit_test(test_words_of_the_wire),
		cmocka_unit_test(test_facts_go_both_ways),
		cmocka_unit_test(test_facts_of_a_transaction_are_there_within_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
