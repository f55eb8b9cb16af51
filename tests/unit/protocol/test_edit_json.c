#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "examples.h"
#include "protocol/verdict_json.h"

static struct verdict decode(const char *name)
{
	struct verdict_json_error error;
	struct verdict_message m;
	size_t len;
	char *line = examples_read(name, &len);

	if (verdict_json_decode(line, len, &m, &error) != VERDICT_JSON_REPLY)
		fail_msg("%s: %s", name, error.message);
	free(line);
	return m.verdict;
}

static void same(const char *found, const char *expected)
{
	assert_int_equal(!found, !expected);
	if (found)
		assert_string_equal(found, expected);
}

static void check(const struct verdict *v, const struct edit *expected, size_t n)
{
	assert_int_equal(v->edits_len, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(v->edits[i].kind, expected[i].kind);
		assert_int_equal(v->edits[i].bottom, expected[i].bottom);
		assert_int_equal(v->edits[i].nth, expected[i].nth);
		same(v->edits[i].name, expected[i].name);
		same(v->edits[i].value, expected[i].value);
	}
}

#define T(text)                                                                                    \
	(char[])                                                                                   \
	{                                                                                          \
		text                                                                               \
	}

static void test_each_kind_is_read_in_order(void **state)
{
	const struct edit expected[] = {
		{EDIT_ADD_HEADER, false, 0, T("X-Spam-Score"), T("1.2")},
		{EDIT_ADD_HEADER, true, 0, T("X-Scanned-By"), T("scanner/1.0")},
		{EDIT_REPLACE_HEADER, false, 1, T("Subject"), T("[EXT] Hello")},
		{EDIT_DELETE_HEADER, false, 0, T("X-Spam-Flag"), NULL},
		{EDIT_SET_SENDER, false, 0, NULL, T("bounces+7@example.org")},
		{EDIT_ADD_RECIPIENT, false, 0, NULL, T("archive@example.com")},
		{EDIT_DROP_RECIPIENT, false, 2, NULL, NULL},
	};
	struct verdict v = decode("valid/reply-edits.json");

	(void)state;
	check(&v, expected, sizeof expected / sizeof expected[0]);
	verdict_fini(&v);
	assert_null(v.edits);
	assert_int_equal(v.edits_len, 0);
}

static void test_defaults(void **state)
{
	const struct edit expected[] = {
		{EDIT_ADD_HEADER, false, 0, T("X-A"), T("")},
		{EDIT_REPLACE_HEADER, false, 1, T("X-B"), T("b")},
		{EDIT_DELETE_HEADER, false, 1, T("X-C"), NULL},
	};
	const struct edit null_sender[] = {{EDIT_SET_SENDER, false, 0, NULL, T("")}};
	struct verdict v = decode("valid/reply-edits-defaults.json");

	(void)state;
	check(&v, expected, sizeof expected / sizeof expected[0]);
	verdict_fini(&v);
	v = decode("valid/reply-edit-null-sender.json");
	check(&v, null_sender, 1);
	verdict_fini(&v);
	v = decode("valid/reply-defaults.json");
	check(&v, NULL, 0);
	verdict_fini(&v);
}

static void test_numbers_and_folds_stay(void **state)
{
	struct verdict v = decode("valid/reply-edit-nth-large.json");

	(void)state;
	/* 2^32 must not become 0, which is all of them. */
	assert_int_equal(v.edits[0].nth, UINT_MAX);
	verdict_fini(&v);
	v = decode("valid/reply-edit-folded.json");
	assert_string_equal(v.edits[0].value, "one\r\n two\r\n\tthree \r\n \t four");
	verdict_fini(&v);
	v = decode("valid/reply-edits-100.json");
	assert_int_equal(v.edits_len, VERDICT_EDITS_MAX);
	assert_int_equal(v.edits[99].nth, 99);
	verdict_fini(&v);
}

static void test_the_author_is_told_what_is_wrong(void **state)
{
	static const char *const told[][2] = {
		{"reply-edits-null", "edits must be an array of objects, not null"},
		{"reply-edits-101", "edits must be at most 100, not 101"},
		{"reply-edits-number", "an edit must be an object, not 1"},
		{"reply-edits-reject", "edits do not fit the verdict reject"},
		{"reply-edits-one-bad", "the name of a field must be printable ASCII"},
		{"reply-edit-unknown", "unknown edit \"rewrite_body\""},
		{"reply-edit-no-edit", "unknown edit nothing"},
		{"reply-edit-no-name", "\"name\" of an edit must be a string, not nothing"},
		{"reply-edit-value-null", "\"value\" of an edit must be a string, not null"},
		{"reply-edit-at-unknown",
		 "\"at\" of an edit must be \"top\" or \"bottom\", not \"middle\""},
		{"reply-edit-replace-nth-real",
		 "\"nth\" of an edit must be an integer of at least 0, not the real number 1.5"},
		{"reply-edit-set-sender-null", "\"address\" of an edit must be a string, not null"},
		{"reply-edit-drop-recipient-no-index",
		 "\"index\" of an edit must be an integer of at least 0, not nothing"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
		struct verdict_json_error error;
		struct verdict_message m;
		char name[80], *line;
		size_t len;

		snprintf(name, sizeof name, "invalid/%s.json", told[i][0]);
		line = examples_read(name, &len);
		assert_int_equal(verdict_json_decode(line, len, &m, &error), VERDICT_JSON_INVALID);
		if (!strstr(error.message, told[i][1]))
			fail_msg("%s: %s", name, error.message);
		assert_string_equal(error.code, "bad_reply");
		/* All or none: of those that were read nothing is left. */
		assert_null(m.verdict.edits);
		free(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind_is_read_in_order),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_numbers_and_folds_stay),
		cmocka_unit_test(test_the_author_is_told_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
