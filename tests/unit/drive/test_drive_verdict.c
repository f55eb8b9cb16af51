#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "drive/drive_verdict.h"

static struct edit edits[2];

static const struct verdict plain = {.kind = VERDICT_ACCEPT};
static const struct verdict full = {
	.kind = VERDICT_TEMPFAIL,
	.code = 450,
	.text = (char[]){"one\ntwo"},
	.reason = "r",
	.until = VERDICT_UNTIL_SESSION,
	.labels = (char[]){"bulk greylist.new"},
	.keep_session = (char[]){""},
	.keep_transaction = (char[]){"{}"},
	.edits = edits,
	.edits_len = 2,
};

static void test_a_verdict_is_shown_with_the_defaults_of_its_hook(void **state)
{
	static const struct {
		const struct verdict *verdict;
		enum hook hook;
		const char *shown;
	} rows[] = {
		{&plain, HOOK_RCPT, "accept"},
		{&full, HOOK_RCPT,
		 "tempfail 450 4.7.1 \"one/two\" (r) until session labels bulk greylist.new "
		 "forgets session keeps transaction edits 2"},
		{&full, HOOK_MAX,
		 "tempfail 450 \"one/two\" (r) until session labels bulk greylist.new forgets "
		 "session keeps transaction edits 2"},
	};
	char shown[256];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		drive_verdict_show(rows[i].verdict, rows[i].hook, shown, sizeof shown);
		assert_string_equal(shown, rows[i].shown);
	}
	drive_verdict_show(&full, HOOK_RCPT, shown, 12);
	assert_string_equal(shown, "tempfail 45");
}

static void test_each_expectation_can_fail(void **state)
{
	static const struct {
		const struct verdict *verdict;
		struct drive_expect expect;
		bool meets;
	} rows[] = {
		{&plain, {.code = 0}, true},
		{&full, {.has_verdict = true, .verdict = VERDICT_TEMPFAIL}, true},
		{&full, {.has_verdict = true, .verdict = VERDICT_REJECT}, false},
		{&full, {.code = 450, .status = "4.7.1", .reason = "r", .text = "two"}, true},
		{&full, {.code = 451}, false},
		{&full, {.status = "4.7.0"}, false},
		{&full, {.reason = "s"}, false},
		{&full, {.text = "three"}, false},
		{&plain, {.text = "one"}, false},
		{&full, {.label = "bulk"}, true},
		{&full, {.label = "greylist.new"}, true},
		{&full, {.label = "greylist"}, false},
		{&full, {.label = "new"}, false},
		{&full, {.label = "bulk greylist"}, false},
		{&plain, {.label = "bulk"}, false},
		{&full, {.has_until = true, .until = VERDICT_UNTIL_SESSION}, true},
		{&full, {.has_until = true, .until = VERDICT_UNTIL_COMMAND}, false},
		{&plain, {.has_until = true, .until = VERDICT_UNTIL_COMMAND}, true},
		{&full, {.has_edits = true, .edits = 2}, true},
		{&full, {.has_edits = true, .edits = 0}, false},
		{&plain, {.has_edits = true, .edits = 0}, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (drive_verdict_meets(rows[i].verdict, HOOK_RCPT, &rows[i].expect) !=
		    rows[i].meets)
			fail_msg("row %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_verdict_is_shown_with_the_defaults_of_its_hook),
		cmocka_unit_test(test_each_expectation_can_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
