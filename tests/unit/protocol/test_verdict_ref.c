/* The ref of a verdict: where the message is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "protocol/verdict.h"

/* Printable ASCII, and nothing that gets lost at its ends. */
static void test_ref(void **state)
{
	static const struct {
		enum verdict_kind kind;
		const char *ref, *problem;
	} table[] = {
		{VERDICT_ACCEPT, "new/1764038400.M1P2.mx", NULL},
		{VERDICT_BYPASS, "~", NULL},
		{VERDICT_QUARANTINE, "s3://held 7/{\"a\"}", NULL},
		{VERDICT_ACCEPT, " ", "ref must be 1 to 128 characters of printable ASCII without"},
		{VERDICT_ACCEPT, " a", "ref must be"},
		{VERDICT_ACCEPT, "a ", "ref must be"},
		{VERDICT_ACCEPT, "a\tb", "ref must be"},
		{VERDICT_ACCEPT, "a\r\nb", "ref must be"},
		{VERDICT_ACCEPT, "a\x7f", "ref must be"},
		{VERDICT_ACCEPT, "gr\xc3\xbc", "ref must be"},
		{VERDICT_DISCARD, "a", "ref does not fit the verdict discard"},
		{VERDICT_TEMPFAIL, "a", "ref does not fit the verdict tempfail"},
		{VERDICT_REJECT, "a", "ref does not fit the verdict reject"},
		{VERDICT_DISCONNECT, "a", "ref does not fit the verdict disconnect"},
	};
	struct verdict longest = {.kind = VERDICT_ACCEPT};
	char problem[256];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct verdict v = {.kind = table[i].kind};
		const char *found;

		snprintf(v.ref, sizeof v.ref, "%s", table[i].ref);
		found = verdict_problem(&v, problem, sizeof problem);
		if (!found != !table[i].problem || (found && !strstr(found, table[i].problem)))
			fail_msg("row %zu: %s", i, found ? found : "no problem seen");
		verdict_fini(&v);
		assert_string_equal(v.ref, "");
	}
	memset(longest.ref, 'x', VERDICT_REF_MAX);
	assert_null(verdict_problem(&longest, problem, sizeof problem));
}

static const char *problem_at(const struct verdict *v, enum hook hook)
{
	static char problem[256];

	return verdict_hook_problem(v, hook, 0, problem, sizeof problem);
}

static void test_ref_is_of_the_message(void **state)
{
	struct verdict v = {.kind = VERDICT_ACCEPT, .ref = "new/1"};

	(void)state;
	for (enum hook hook = 0; hook < HOOK_DISCONNECT; hook++)
		if (hook != HOOK_MESSAGE)
			assert_non_null(strstr(problem_at(&v, hook), "ref is not allowed at "));
	assert_null(problem_at(&v, HOOK_MESSAGE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ref),
		cmocka_unit_test(test_ref_is_of_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
