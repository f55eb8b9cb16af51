#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocol/edit.h"

static void test_words_go_both_ways(void **state)
{
	enum edit_kind kind = EDIT_SET_SENDER;

	(void)state;
	assert_false(edit_from_word("", &kind));
	assert_false(edit_from_word("Add_Header", &kind));
	assert_false(edit_from_word("replace_body", &kind));
	assert_int_equal(kind, EDIT_SET_SENDER);
	for (unsigned i = 0; i < EDIT_MAX; i++) {
		assert_true(edit_from_word(edit_word((enum edit_kind)i), &kind));
		assert_int_equal(kind, i);
	}
}

#define NAME  "the name of a field must"
#define OCTET "is a control, no UTF-8, or a CRLF without white space after it"

static const struct {
	enum edit_kind kind;
	const char *name, *value;
	unsigned nth;
	const char *problem; /* NULL: there is none */
} rows[] = {
	{EDIT_ADD_HEADER, "X-A", "b", 0, NULL},
	{EDIT_ADD_HEADER, "X-A", "", 0, NULL},
	{EDIT_ADD_HEADER, "X-A", NULL, 0, NULL},
	{EDIT_ADD_HEADER, "!#~", "a\tb", 0, NULL},
	{EDIT_ADD_HEADER, "X-A", "Gr\xc3\xbc\xc3\x9f\x65", 0, NULL},
	{EDIT_ADD_HEADER, "X-A", "one\r\n two\r\n\tthree", 0, NULL},
	{EDIT_ADD_HEADER, "X-A", "\r\n one", 0, NULL},
	{EDIT_ADD_HEADER, "X-A", "   ", 0, NULL},
	{EDIT_ADD_HEADER, "X-A", "a \r\n b ", 0, NULL},
	{EDIT_ADD_HEADER, NULL, "b", 0, NAME " have 1 to 64 characters, not 0"},
	{EDIT_ADD_HEADER, "", "b", 0, NAME " have 1 to 64 characters, not 0"},
	{EDIT_ADD_HEADER, "X:", "b", 0, "octet 2 is 0x3a"},
	{EDIT_ADD_HEADER, "X A", "b", 0, "octet 2 is 0x20"},
	{EDIT_ADD_HEADER, "\xc3\xbc", "b", 0, "octet 1 is 0xc3"},
	{EDIT_ADD_HEADER, "X\r\nY", "b", 0, "octet 2 is 0x0d"},
	{EDIT_ADD_HEADER, "X-A", "a\nb", 0, "octet 2 of a value, 0x0a, " OCTET},
	{EDIT_ADD_HEADER, "X-A", "a\n b", 0, "octet 2 of a value, 0x0a, " OCTET},
	{EDIT_ADD_HEADER, "X-A", "a\rb", 0, "octet 2 of a value, 0x0d, " OCTET},
	{EDIT_ADD_HEADER, "X-A", "a\r", 0, "octet 2 of a value, 0x0d, " OCTET},
	{EDIT_ADD_HEADER, "X-A", "a\r\n", 0, "octet 2 of a value, 0x0d, " OCTET},
	{EDIT_ADD_HEADER, "X-A", "a\r\nBcc: b", 0, "octet 2 of a value, 0x0d, " OCTET},
	{EDIT_ADD_HEADER, "X-A", "a\r\r\n b", 0, "octet 2 of a value, 0x0d, " OCTET},
	{EDIT_ADD_HEADER, "X-A", "a\r\n\r\nb", 0, "octet 2 of a value, 0x0d, " OCTET},
	{EDIT_ADD_HEADER, "X-A", "a\r\n \r\n b", 0, "has only white space"},
	{EDIT_ADD_HEADER, "X-A", "a\r\n \t", 0, "has only white space"},
	{EDIT_ADD_HEADER, "X-A", "\x1b[2J", 0, "octet 1 of a value, 0x1b, " OCTET},
	{EDIT_ADD_HEADER, "X-A", "a\x7f", 0, "octet 2 of a value, 0x7f, " OCTET},
	{EDIT_ADD_HEADER, "X-A", "a\xc2\x85", 0, "octet 2 of a value, 0xc2, " OCTET},
	{EDIT_ADD_HEADER, "X-A", "a\xc3", 0, "octet 2 of a value, 0xc3, " OCTET},
	{EDIT_ADD_HEADER, "X-A", "a\xed\xa0\x80", 0, "octet 2 of a value, 0xed, " OCTET},
	{EDIT_REPLACE_HEADER, "Subject", "b", 1, NULL},
	{EDIT_REPLACE_HEADER, "Subject", "b", 0, "\"nth\" of replace_header counts from 1"},
	{EDIT_REPLACE_HEADER, "Sub ject", "b", 1, NAME " be printable ASCII"},
	{EDIT_REPLACE_HEADER, "Subject", "a\nb", 1, "octet 2 of a value, 0x0a, " OCTET},
	{EDIT_DELETE_HEADER, "Subject", NULL, 0, NULL},
	{EDIT_DELETE_HEADER, "Subject", NULL, 7, NULL},
	{EDIT_DELETE_HEADER, "Subject:", NULL, 1, "octet 8 is 0x3a"},
	{EDIT_SET_SENDER, NULL, "", 0, NULL},
	{EDIT_SET_SENDER, NULL, "\"a b\"@example.org", 0, NULL},
	{EDIT_SET_SENDER, NULL, "b\xc3\xbc@example.org", 0, NULL},
	{EDIT_SET_SENDER, NULL, "<a@example.org>", 0, "octet 1 of an address, 0x3c, is an angle"},
	{EDIT_SET_SENDER, NULL, "a@example.org>", 0, "octet 14 of an address, 0x3e"},
	{EDIT_SET_SENDER, NULL, "a@example.org\r\n b", 0, "octet 14 of an address, 0x0d"},
	{EDIT_SET_SENDER, NULL, "a\t@example.org", 0, "octet 2 of an address, 0x09"},
	{EDIT_SET_SENDER, NULL, "\xff", 0, "octet 1 of an address, 0xff"},
	{EDIT_ADD_RECIPIENT, NULL, "a@example.org", 0, NULL},
	{EDIT_ADD_RECIPIENT, NULL, "", 0, "the address of a recipient is empty"},
	{EDIT_ADD_RECIPIENT, NULL, NULL, 0, "the address of a recipient is empty"},
	{EDIT_ADD_RECIPIENT, NULL, "a\n", 0, "octet 2 of an address, 0x0a"},
	{EDIT_DROP_RECIPIENT, NULL, NULL, 1, NULL},
	{EDIT_DROP_RECIPIENT, NULL, NULL, 0, "\"index\" of drop_recipient counts from 1"},
};

static const char *problem_of(enum edit_kind kind, const char *name, const char *value,
			      unsigned nth, char *problem, size_t size)
{
	struct edit edit = {.kind = kind,
			    .nth = nth,
			    .name = name ? strdup(name) : NULL,
			    .value = value ? strdup(value) : NULL};
	const char *found = edit_problem(&edit, problem, size);

	edit_fini(&edit);
	assert_null(edit.name);
	return found;
}

static void test_problems(void **state)
{
	char problem[256];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *found = problem_of(rows[i].kind, rows[i].name, rows[i].value,
					       rows[i].nth, problem, sizeof problem);

		if (!found != !rows[i].problem || (found && !strstr(found, rows[i].problem)))
			fail_msg("row %zu: %s", i, found ? found : "no problem seen");
		for (const char *p = found; p && *p; p++)
			assert_in_range(*p, ' ', '~');
	}
}

/* The name, ": " and the first line together; each further line alone. */
static void test_lines_at_their_limit(void **state)
{
	char value[4000], name[EDIT_NAME_MAX + 2], problem[256];
	char *second = value + 993;

	(void)state;
	memset(value, 'a', sizeof value);
	value[993] = '\0';
	assert_null(problem_of(EDIT_ADD_HEADER, "X-A", value, 0, problem, sizeof problem));
	value[993] = 'a';
	value[994] = '\0';
	assert_non_null(problem_of(EDIT_ADD_HEADER, "X-A", value, 0, problem, sizeof problem));
	assert_string_equal(problem, "a line of a field must have at most 998 octets, not 999");

	memcpy(second, "\r\n ", 3);
	memset(second + 3, 'b', 998);
	second[3 + 997] = '\0';
	assert_null(problem_of(EDIT_ADD_HEADER, "X-A", value, 0, problem, sizeof problem));
	second[3 + 997] = 'b';
	second[3 + 998] = '\0';
	assert_non_null(problem_of(EDIT_ADD_HEADER, "X-A", value, 0, problem, sizeof problem));

	memset(name, 'N', sizeof name);
	name[EDIT_NAME_MAX] = '\0';
	assert_null(problem_of(EDIT_ADD_HEADER, name, "b", 0, problem, sizeof problem));
	name[EDIT_NAME_MAX] = 'N';
	name[EDIT_NAME_MAX + 1] = '\0';
	assert_non_null(problem_of(EDIT_ADD_HEADER, name, "b", 0, problem, sizeof problem));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_go_both_ways),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_lines_at_their_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
