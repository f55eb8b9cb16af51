/* What outlives a question, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "policy/policy_memory.h"

#define ONE 3 /* places in the settings */
#define TWO 7

static struct policy_memory *make(void)
{
	static const size_t chain[] = {ONE, TWO};

	return policy_memory_new(chain, 2);
}

static void take_labels(struct policy_memory *memory, enum hook hook, const char *labels)
{
	struct verdict verdict = {.labels = mem_copy_string(labels)};

	policy_memory_take(memory, ONE, hook, &verdict);
	verdict_fini(&verdict);
}

static void take_keep(struct policy_memory *memory, size_t place, const char *session,
		      const char *transaction)
{
	struct verdict verdict = {.keep_session = mem_copy_string(session),
				  .keep_transaction = mem_copy_string(transaction)};

	policy_memory_take(memory, place, HOOK_MAIL, &verdict);
	verdict_fini(&verdict);
}

static void expect_keep(struct policy_memory *memory, size_t place, const char *session,
			const char *transaction)
{
	const char *kept[2];

	policy_memory_kept(memory, place, &kept[0], &kept[1]);
	assert_string_equal(kept[0] ? kept[0] : "", session);
	assert_string_equal(kept[1] ? kept[1] : "", transaction);
}

static void take_standing(struct policy_memory *memory, size_t place, enum hook hook,
			  enum verdict_kind kind, int code, enum verdict_until until)
{
	struct verdict verdict = {.kind = kind,
				  .code = code,
				  .until = until,
				  .text = mem_copy_string("As I said"),
				  .reason = "why"};

	snprintf(verdict.status, sizeof verdict.status, "%c.7.1",
		 code < 500 ? (code < 400 ? '2' : '4') : '5');
	policy_memory_take(memory, place, hook, &verdict);
	verdict_fini(&verdict);
}

static bool stands(struct policy_memory *memory, size_t place, enum hook hook)
{
	struct verdict verdict = {0};
	bool found = policy_memory_standing(memory, place, hook, &verdict);

	verdict_fini(&verdict);
	return found;
}

static void test_labels_of_session_and_transaction(void **state)
{
	struct policy_memory *memory = make();

	(void)state;
	assert_null(policy_memory_labels(memory));
	take_labels(memory, HOOK_CONNECT, "known dynamic");
	take_labels(memory, HOOK_MAIL, "spf.pass");
	take_labels(memory, HOOK_MESSAGE, "bulk known");
	take_labels(memory, HOOK_MESSAGE, NULL);
	assert_string_equal(policy_memory_labels(memory), "known dynamic spf.pass bulk");
	policy_memory_end_transaction(memory);
	assert_string_equal(policy_memory_labels(memory), "known dynamic");
	policy_memory_secure(memory);
	assert_string_equal(policy_memory_labels(memory), "known dynamic");
	policy_memory_clear(memory);
	assert_null(policy_memory_labels(memory));
	policy_memory_free(&memory);
	assert_null(memory);
	policy_memory_free(&memory);
}

static void test_labels_of_every_hook_of_a_transaction_end_with_it(void **state)
{
	struct policy_memory *memory = make();

	(void)state;
	for (enum hook hook = 0; hook < HOOK_DISCONNECT; hook++) {
		bool transaction = hook >= HOOK_MAIL;

		take_labels(memory, hook, "x");
		policy_memory_end_transaction(memory);
		assert_true((policy_memory_labels(memory) == NULL) == transaction);
		policy_memory_clear(memory);
	}
	policy_memory_free(&memory);
}

static void test_the_oldest_64_labels_stay(void **state)
{
	struct policy_memory *memory = make();
	char word[VERDICT_LABEL_MAX + 1];
	size_t spaces = 0;

	(void)state;
	for (int i = 0; i < 70; i++) {
		snprintf(word, sizeof word, "%064d", i);
		take_labels(memory, HOOK_CONNECT, word);
	}
	for (const char *at = policy_memory_labels(memory); *at; at++)
		spaces += *at == ' ';
	assert_int_equal(spaces, 63);
	assert_non_null(strstr(policy_memory_labels(memory), "00063"));
	assert_null(strstr(policy_memory_labels(memory), "00064"));
	policy_memory_free(&memory);
}

static void test_keep_is_of_one_service(void **state)
{
	struct policy_memory *memory = make();

	(void)state;
	expect_keep(memory, ONE, "", "");
	take_keep(memory, ONE, "{\"a\":1}", "{\"b\":1}");
	expect_keep(memory, ONE, "{\"a\":1}", "{\"b\":1}");
	expect_keep(memory, TWO, "", "");
	take_keep(memory, TWO, NULL, "{}");
	take_keep(memory, ONE, NULL, NULL);
	expect_keep(memory, ONE, "{\"a\":1}", "{\"b\":1}");
	take_keep(memory, ONE, "{\"a\":2}", "");
	expect_keep(memory, ONE, "{\"a\":2}", "");
	expect_keep(memory, TWO, "", "{}");
	take_keep(memory, ONE, "", NULL);
	expect_keep(memory, ONE, "", "");
	policy_memory_free(&memory);
}

static void test_keep_lasts(void **state)
{
	struct policy_memory *memory = make();

	(void)state;
	take_keep(memory, ONE, "{\"a\":1}", "{\"b\":1}");
	policy_memory_secure(memory);
	expect_keep(memory, ONE, "{\"a\":1}", "{\"b\":1}");
	policy_memory_end_transaction(memory);
	expect_keep(memory, ONE, "{\"a\":1}", "");
	policy_memory_clear(memory);
	expect_keep(memory, ONE, "", "");
	policy_memory_free(&memory);
}

static void test_answer_of_a_command_does_not_stand(void **state)
{
	struct policy_memory *memory = make();

	(void)state;
	take_standing(memory, ONE, HOOK_MAIL, VERDICT_REJECT, 550, VERDICT_UNTIL_COMMAND);
	assert_false(stands(memory, ONE, HOOK_RCPT));
	policy_memory_free(&memory);
}

static void test_until_transaction(void **state)
{
	struct policy_memory *memory = make();

	(void)state;
	take_standing(memory, ONE, HOOK_MAIL, VERDICT_ACCEPT, 250, VERDICT_UNTIL_TRANSACTION);
	assert_true(stands(memory, ONE, HOOK_RCPT));
	assert_false(stands(memory, TWO, HOOK_RCPT));
	policy_memory_end_transaction(memory);
	assert_false(stands(memory, ONE, HOOK_RCPT));
	policy_memory_free(&memory);
}

static void test_until_session(void **state)
{
	struct policy_memory *memory = make();

	(void)state;
	take_standing(memory, ONE, HOOK_RCPT, VERDICT_ACCEPT, 250, VERDICT_UNTIL_SESSION);
	policy_memory_end_transaction(memory);
	for (enum hook hook = 0; hook < HOOK_DISCONNECT; hook++)
		assert_true(stands(memory, ONE, hook) == (hook != HOOK_AUTH));
	policy_memory_clear(memory);
	assert_false(stands(memory, ONE, HOOK_RCPT));
	policy_memory_free(&memory);
}

/* RFC 3207 section 4.2 */
static void test_starttls_ends_all_but_the_answers_at_connect(void **state)
{
	struct policy_memory *memory = make();

	(void)state;
	take_standing(memory, ONE, HOOK_CONNECT, VERDICT_ACCEPT, 220, VERDICT_UNTIL_SESSION);
	take_standing(memory, TWO, HOOK_EHLO, VERDICT_ACCEPT, 250, VERDICT_UNTIL_SESSION);
	policy_memory_secure(memory);
	assert_true(stands(memory, ONE, HOOK_MAIL));
	assert_false(stands(memory, TWO, HOOK_MAIL));
	policy_memory_free(&memory);
}

static void test_what_lets_pass_stands_without_its_words(void **state)
{
	static const enum verdict_kind kinds[] = {VERDICT_ACCEPT, VERDICT_BYPASS,
						  VERDICT_QUARANTINE};
	struct policy_memory *memory = make();

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct verdict verdict = {0};

		take_standing(memory, ONE, HOOK_RCPT, kinds[i], 250, VERDICT_UNTIL_SESSION);
		assert_true(policy_memory_standing(memory, ONE, HOOK_DATA, &verdict));
		assert_int_equal(verdict.kind, kinds[i]);
		assert_null(verdict.text);
		assert_int_equal(verdict.code, 0);
		assert_string_equal(verdict.status, "");
		assert_string_equal(verdict.reason, "why");
		verdict_fini(&verdict);
	}
	policy_memory_free(&memory);
}

static void test_refusal_stands_with_the_code_that_fits(void **state)
{
	static const struct {
		enum hook given;
		int code;
		enum hook hook;
		int expected; /* of the reply, defaults filled in */
	} rows[] = {
		{HOOK_EHLO, 550, HOOK_MAIL, 550},     {HOOK_EHLO, 553, HOOK_MAIL, 553},
		{HOOK_EHLO, 521, HOOK_MAIL, 550},     {HOOK_AUTH, 535, HOOK_RCPT, 550},
		{HOOK_AUTH, 535, HOOK_MESSAGE, 554},  {HOOK_CONNECT, 421, HOOK_EHLO, 451},
		{HOOK_EHLO, 450, HOOK_MESSAGE, 450},  {HOOK_STARTTLS, 454, HOOK_MAIL, 451},
		{HOOK_EHLO, 450, HOOK_STARTTLS, 454}, {HOOK_EHLO, 550, HOOK_STARTTLS, 554},
		{HOOK_EHLO, 554, HOOK_STARTTLS, 554},
	};
	struct policy_memory *memory = make();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct verdict verdict = {0};
		char status[VERDICT_STATUS_MAX], problem[256];

		take_standing(memory, ONE, rows[i].given,
			      rows[i].code < 500 ? VERDICT_TEMPFAIL : VERDICT_REJECT, rows[i].code,
			      VERDICT_UNTIL_SESSION);
		assert_true(policy_memory_standing(memory, ONE, rows[i].hook, &verdict));
		assert_int_equal(verdict_code(&verdict, rows[i].hook), rows[i].expected);
		snprintf(status, sizeof status, "%c.7.1", rows[i].code < 500 ? '4' : '5');
		assert_string_equal(verdict.status, status);
		assert_string_equal(verdict.text, "As I said");
		assert_null(verdict_problem(&verdict, problem, sizeof problem));
		verdict_fini(&verdict);
	}
	policy_memory_free(&memory);
}

static void test_a_new_answer_takes_the_place_of_the_old(void **state)
{
	struct policy_memory *memory = make();
	struct verdict verdict;

	(void)state;
	take_standing(memory, ONE, HOOK_EHLO, VERDICT_REJECT, 550, VERDICT_UNTIL_SESSION);
	take_standing(memory, ONE, HOOK_AUTH, VERDICT_ACCEPT, 235, VERDICT_UNTIL_SESSION);
	assert_true(policy_memory_standing(memory, ONE, HOOK_MAIL, &verdict));
	assert_int_equal(verdict.kind, VERDICT_ACCEPT);
	verdict_fini(&verdict);
	policy_memory_free(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels_of_session_and_transaction),
		cmocka_unit_test(test_labels_of_every_hook_of_a_transaction_end_with_it),
		cmocka_unit_test(test_the_oldest_64_labels_stay),
		cmocka_unit_test(test_keep_is_of_one_service),
		cmocka_unit_test(test_keep_lasts),
		cmocka_unit_test(test_answer_of_a_command_does_not_stand),
		cmocka_unit_test(test_until_transaction),
		cmocka_unit_test(test_until_session),
		cmocka_unit_test(test_starttls_ends_all_but_the_answers_at_connect),
		cmocka_unit_test(test_what_lets_pass_stands_without_its_words),
		cmocka_unit_test(test_refusal_stands_with_the_code_that_fits),
		cmocka_unit_test(test_a_new_answer_takes_the_place_of_the_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
