#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "header_check.h"
#include "message/header_edit.h"

#define TOP(n, v)                                                                                  \
	{                                                                                          \
		.kind = EDIT_ADD_HEADER, .name = (n), .value = (v)                                 \
	}
#define BOTTOM(n, v)                                                                               \
	{                                                                                          \
		.kind = EDIT_ADD_HEADER, .bottom = true, .name = (n), .value = (v)                 \
	}
#define REPLACE(n, i, v)                                                                           \
	{                                                                                          \
		.kind = EDIT_REPLACE_HEADER, .nth = (i), .name = (n), .value = (v)                 \
	}
#define DELETE(n, i)                                                                               \
	{                                                                                          \
		.kind = EDIT_DELETE_HEADER, .nth = (i), .name = (n)                                \
	}
#define END                                                                                        \
	{                                                                                          \
		.kind = EDIT_MAX                                                                   \
	}
#define EDITS_MAX 6

struct row {
	const char *before, *after;
	struct edit edits[EDITS_MAX]; /* up to END */
};

static size_t count(const struct edit *edits)
{
	size_t n = 0;

	while (n < EDITS_MAX && edits[n].kind != EDIT_MAX)
		n++;
	return n;
}

static void check_rows(const struct row *rows, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		struct buf out;
		char problem[100] = "";

		buf_init(&out, 4096);
		assert_true(header_edit(rows[i].before, strlen(rows[i].before), rows[i].edits,
					count(rows[i].edits), &out, problem, sizeof problem));
		buf_append(&out, "", 1);
		assert_string_equal(buf_head(&out), rows[i].after);
		assert_string_equal(problem, "");
		buf_fini(&out);
	}
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof(rows)[0])

static void add(void **state)
{
	static const struct row rows[] = {
		{"A: 1\r\n\r\n", "A: 1\r\n\r\n", {END}},
		{"A: 1\r\n\r\n", "X: x\r\nA: 1\r\n\r\n", {TOP("X", "x"), END}},
		{"A: 1\r\n\r\n", "A: 1\r\nX: x\r\n\r\n", {BOTTOM("X", "x"), END}},
		/* the order of the list, in both places */
		{"A: 1\r\n\r\n",
		 "X: 1\r\nX: 2\r\nA: 1\r\nX: 3\r\nX: 4\r\n\r\n",
		 {TOP("X", "1"), BOTTOM("X", "3"), TOP("X", "2"), BOTTOM("X", "4"), END}},
		/* not behind a field of the same name: what is shown is what is numbered */
		{"X: 1\r\nA: 1\r\n\r\n", "X: 1\r\nA: 1\r\nx: 2\r\n\r\n", {BOTTOM("x", "2"), END}},
		{"A: 1\r\n b\r\n\r\n",
		 "A: 1\r\n b\r\nX: x\r\n\ty\r\n\r\n",
		 {BOTTOM("X", "x\r\n\ty"), END}},
		{"A: 1\r\n\r\n", "X: \r\nA: 1\r\n\r\n", {TOP("X", ""), END}},
		{"A: 1\r\n\r\n", "X: j\xc3\xb6\r\nA: 1\r\n\r\n", {TOP("X", "j\xc3\xb6"), END}},
	};

	(void)state;
	CHECK(rows);
}

static void replace(void **state)
{
	static const struct row rows[] = {
		{"A: 1\r\nB: 2\r\n\r\n", "A: new\r\nB: 2\r\n\r\n", {REPLACE("A", 1, "new"), END}},
		{"A: 1\r\nB: 2\r\n\r\n", "A: 1\r\nb: new\r\n\r\n", {REPLACE("b", 1, "new"), END}},
		{"A: 1\r\n x\r\n\ty\r\nB: 2\r\n\r\n",
		 "A: new\r\nB: 2\r\n\r\n",
		 {REPLACE("A", 1, "new"), END}},
		{"A: 1\r\nB: 2\r\nA: 3\r\n\r\n",
		 "A: 1\r\nB: 2\r\nA: new\r\n\r\n",
		 {REPLACE("A", 2, "new"), END}},
		/* none there, or not so many: at the bottom, among those that are added there */
		{"A: 1\r\n\r\n", "A: 1\r\nB: new\r\n\r\n", {REPLACE("B", 1, "new"), END}},
		{"A: 1\r\n\r\n", "A: 1\r\nA: new\r\n\r\n", {REPLACE("A", 2, "new"), END}},
		{"A: 1\r\n\r\n",
		 "A: 1\r\nX: 1\r\nB: new\r\nX: 2\r\n\r\n",
		 {BOTTOM("X", "1"), REPLACE("B", 1, "new"), BOTTOM("X", "2"), END}},
	};

	(void)state;
	CHECK(rows);
}

static void delete (void **state)
{
	static const struct row rows[] = {
		{"A: 1\r\nB: 2\r\n\r\n", "B: 2\r\n\r\n", {DELETE("a", 1), END}},
		{"A: 1\r\n x\r\nB: 2\r\n\r\n", "B: 2\r\n\r\n", {DELETE("A", 1), END}},
		{"A: 1\r\nB: 2\r\nA: 3\r\nA: 4\r\n\r\n",
		 "A: 1\r\nB: 2\r\nA: 4\r\n\r\n",
		 {DELETE("A", 2), END}},
		{"A: 1\r\nB: 2\r\nA: 3\r\n\r\n", "B: 2\r\n\r\n", {DELETE("A", 0), END}},
		{"A: 1\r\n\r\n", "A: 1\r\n\r\n", {DELETE("B", 1), DELETE("B", 0), END}},
		{"A: 1\r\n\r\n", "A: 1\r\n\r\n", {DELETE("A", 2), END}},
		{"A: 1\r\n\r\n", "\r\n", {DELETE("A", 0), END}},
		{"AB: 1\r\nA: 2\r\nA-B: 3\r\n\r\n",
		 "AB: 1\r\nA-B: 3\r\n\r\n",
		 {DELETE("A", 0), END}},
	};

	(void)state;
	CHECK(rows);
}

static void numbers_speak_of_what_was_shown(void **state)
{
	static const struct row rows[] = {
		{"A: 1\r\nA: 2\r\nA: 3\r\n\r\n",
		 "A: 3\r\n\r\n",
		 {DELETE("A", 1), DELETE("A", 2), END}},
		{"A: 1\r\nA: 2\r\n\r\n",
		 "A: 0\r\nA: new\r\n\r\n",
		 {TOP("A", "0"), DELETE("A", 1), REPLACE("A", 2, "new"), END}},
		{"A: 1\r\n\r\n", "A: x\r\n\r\n", {TOP("A", "x"), DELETE("A", 0), END}},
		{"B: 1\r\n\r\n",
		 "A: x\r\nB: 1\r\nA: y\r\n\r\n",
		 {TOP("A", "x"), REPLACE("A", 1, "y"), DELETE("A", 0), END}},
		/* of several for one field the last */
		{"A: 1\r\n\r\n", "A: y\r\n\r\n", {REPLACE("A", 1, "x"), REPLACE("A", 1, "y"), END}},
		{"A: 1\r\n\r\n", "\r\n", {REPLACE("A", 1, "x"), DELETE("A", 0), END}},
		{"A: 1\r\nA: 2\r\n\r\n",
		 "A: x\r\n\r\n",
		 {DELETE("A", 0), REPLACE("A", 1, "x"), END}},
	};

	(void)state;
	CHECK(rows);
}

static void other_octets_stay(void **state)
{
#define ODD "Subject :\t x  \r\n\t \r\n  y\r\nDate:no space\r\nX:\r\nY: a\xff\x80\x01z\r\n"
	static const struct row rows[] = {
		{ODD "A: 1\r\n\r\n",
		 "T: t\r\n" ODD "B: b\r\n\r\n",
		 {TOP("T", "t"), BOTTOM("B", "b"), DELETE("A", 1), END}},
		{"Subject : x\r\nSubject\t: y\r\n\r\n",
		 "subject: new\r\n\r\n",
		 {REPLACE("subject", 1, "new"), DELETE("SUBJECT", 2), END}},
		{"A: 1\r\n\r\n",
		 "A: 1\r\n\r\n",
		 {{.kind = EDIT_SET_SENDER, .value = "a@b"},
		  {.kind = EDIT_ADD_RECIPIENT, .value = "a@b"},
		  {.kind = EDIT_DROP_RECIPIENT, .nth = 1},
		  END}},
	};

	(void)state;
	CHECK(rows);
}

static void no_empty_line(void **state)
{
	static const struct row rows[] = {
		{"", "", {DELETE("A", 0), END}},
		{"", "X: 1\r\nX: 2\r\n", {BOTTOM("X", "2"), TOP("X", "1"), END}},
		{"\r\n", "X: 1\r\nX: 2\r\n\r\n", {BOTTOM("X", "2"), TOP("X", "1"), END}},
		{"A: 1\r\n", "X: 1\r\nA: 1\r\nX: 2\r\n", {TOP("X", "1"), BOTTOM("X", "2"), END}},
		/* a last line without its end gets one when something follows it */
		{"A: 1", "A: 1", {END}},
		{"A: 1", "X: 1\r\nA: 1", {TOP("X", "1"), END}},
		{"A: 1", "A: 1\r\nX: 1\r\n", {BOTTOM("X", "1"), END}},
		{"A: 1\r", "A: 1\r\r\nX: 1\r\n", {BOTTOM("X", "1"), END}},
		{"A: 1", "A: x\r\n", {REPLACE("A", 1, "x"), END}},
		{"A: 1", "X: 1\r\n", {BOTTOM("X", "1"), DELETE("A", 1), END}},
		{"B: 1\r\nA", "B: 1\r\nX: 1\r\nA", {BOTTOM("X", "1"), END}},
	};

	(void)state;
	CHECK(rows);
}

/* Fields are added where every reader sees them, and found where any reader may. */
static void lines_that_are_no_fields(void **state)
{
	static const struct row rows[] = {
		{"hello world\r\nbye\r\n",
		 "X: 1\r\nX: 2\r\nhello world\r\nbye\r\n",
		 {TOP("X", "1"), BOTTOM("X", "2"), END}},
		{"A: 1\r\nno field\r\n of mine\r\nB: 2\r\n\r\n",
		 "A: 1\r\nX: 1\r\nno field\r\n of mine\r\n\r\n",
		 {BOTTOM("X", "1"), DELETE("B", 0), END}},
		{"A: 1\r\nno field\r\nA: 2\r\n\r\n",
		 "A: 1\r\nno field\r\nA: x\r\n\r\n",
		 {REPLACE("A", 2, "x"), END}},
		{": 1\r\n\r\n", "X: 1\r\n: 1\r\n\r\n", {BOTTOM("X", "1"), END}},
		{"A B: 1\r\n\r\n", "X: 1\r\nA B: 1\r\n\r\n", {BOTTOM("X", "1"), END}},
		{"\xc3\xb6: 1\r\n\r\n", "X: 1\r\n\xc3\xb6: 1\r\n\r\n", {BOTTOM("X", "1"), END}},
		/* the mbox line, and what would continue a field that is put before it */
		{"From a@b Tue Nov 24 11:03:15 2026\r\nA: 1\r\n\r\n",
		 "From a@b Tue Nov 24 11:03:15 2026\r\nX: 1\r\nA: 1\r\nX: 2\r\n\r\n",
		 {TOP("X", "1"), BOTTOM("X", "2"), END}},
		{"From a@b", "From a@b\r\nX: 1\r\n", {TOP("X", "1"), END}},
		{"From : a@b\r\n\r\n", "X: 1\r\nFrom : a@b\r\n\r\n", {TOP("X", "1"), END}},
		{"A: 1\r\nFrom a@b\r\n\r\n",
		 "A: 1\r\nX: 1\r\nFrom a@b\r\n\r\n",
		 {BOTTOM("X", "1"), END}},
		{" A: 0\r\n\t\r\nA: 1\r\n\r\n",
		 " A: 0\r\n\t\r\nX: 1\r\nX: 2\r\n\r\n",
		 {TOP("X", "1"), BOTTOM("X", "2"), DELETE("A", 1), END}},
	};

	(void)state;
	CHECK(rows);
}

static void bare_line_ends(void **state)
{
	static const struct row rows[] = {
		{"A: 1\nB: 2\n 3\nC: 4\r\n\r\n",
		 "X: 1\r\nA: 1\nC: 4\r\n\r\n",
		 {TOP("X", "1"), DELETE("B", 1), END}},
		{"A: 1\rB: 2\r\n\r\n", "A: 1\rB: 2\r\n\r\n", {DELETE("B", 0), END}},
		{"A: 1\rB: 2\r\n\r\n", "\r\n", {DELETE("A", 0), END}},
		/* some end the header at an empty line with LF alone */
		{"A: 1\n\nB: 2\r\n\r\n",
		 "A: 1\nX: 1\r\n\n\r\n",
		 {BOTTOM("X", "1"), DELETE("B", 0), END}},
		{"A: 1\n\r\nB: 2\r\n\r\n",
		 "A: 1\nX: 1\r\n\r\nB: 2\r\n\r\n",
		 {BOTTOM("X", "1"), END}},
	};

	(void)state;
	CHECK(rows);
}

static void octets_of_all_kinds(void **state)
{
	static const char before[] = "A: \0\x7f\r\nB:\0\r\n\0\r\n\r\n";
	static const char after[] = "A: \0\x7f\r\nX: 1\r\n\0\r\n\r\n";
	struct edit edits[] = {DELETE("B", 1), BOTTOM("X", "1")};
	struct buf out;
	char problem[100];

	(void)state;
	buf_init(&out, 4096);
	assert_true(
		header_edit(before, sizeof before - 1, edits, 2, &out, problem, sizeof problem));
	assert_int_equal(out.len, sizeof after - 1);
	assert_memory_equal(buf_head(&out), after, out.len);
	buf_fini(&out);
}

static void is_refused(struct edit edit, size_t max, const char *expected)
{
	struct buf out;
	char problem[100] = "";

	buf_init(&out, max);
	assert_false(header_edit("A: 1\r\n\r\n", 8, &edit, 1, &out, problem, sizeof problem));
	assert_string_equal(problem, expected);
	buf_fini(&out);
}

static void no_header_injection(void **state)
{
	static const char *const names[] = {NULL, "", "A B", "A:", "A\r\nB", "\xc3\xb6", "A\x7f"};
	static const char *const values[] = {NULL,   "a\r\nB: 1", "a\r\n", "a\r\n\r\n b",
					     "a\nb", "a\n b",	  "a\rb",  "a\r"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		is_refused((struct edit)TOP((char *)(uintptr_t)names[i], "x"), 4096,
			   "not the name of a header field");
		is_refused((struct edit)DELETE((char *)(uintptr_t)names[i], 1), 4096,
			   "not the name of a header field");
	}
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		is_refused((struct edit)BOTTOM("X", (char *)(uintptr_t)values[i]), 4096,
			   "the value of X does not stay within its field");
		is_refused((struct edit)REPLACE("A", 1, (char *)(uintptr_t)values[i]), 4096,
			   "the value of A does not stay within its field");
	}
}

static void too_long(void **state)
{
	(void)state;
	is_refused((struct edit)TOP("X", "1"), 13, "the header would be longer than 13 octets");
	is_refused((struct edit)DELETE("B", 1), 7, "the header would be longer than 7 octets");
}

static unsigned draw(unsigned below)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return (state >> 8) % below;
}

/* Headers and edits made of the same few words, so that they meet in every way. */
static void unedited_octets_are_the_same_sequence(void **state)
{
	static const char *const parts[] = {"A",    "b",     ":",    ": ",     " ",
					    "\t",   "\r\n",  "\r\n", "\n",     "x",
					    "A: 1", "From ", "\r",   "\r\nB:", "\r\nA :"};
	static char *const names[] = {"a", "B", "Ab", "x"};

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		struct edit edits[6];
		char header[256] = "";
		size_t len = 0, n = draw(7);

		for (unsigned i = draw(20); i; i--)
			len += (size_t)snprintf(header + len, sizeof header - len, "%s",
						parts[draw(sizeof parts / sizeof parts[0])]);
		for (size_t i = 0; i < n; i++)
			edits[i] = (struct edit){.kind = (enum edit_kind)draw(3),
						 .bottom = draw(2),
						 .nth = draw(3),
						 .name = names[draw(4)],
						 .value = HEADER_CHECK_MARK};
		header_check(header, len, edits, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add),
		cmocka_unit_test(replace),
		cmocka_unit_test(delete),
		cmocka_unit_test(numbers_speak_of_what_was_shown),
		cmocka_unit_test(other_octets_stay),
		cmocka_unit_test(no_empty_line),
		cmocka_unit_test(lines_that_are_no_fields),
		cmocka_unit_test(bare_line_ends),
		cmocka_unit_test(octets_of_all_kinds),
		cmocka_unit_test(no_header_injection),
		cmocka_unit_test(too_long),
		cmocka_unit_test(unedited_octets_are_the_same_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
