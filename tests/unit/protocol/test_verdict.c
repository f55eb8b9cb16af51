#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "protocol/handshake.h"
#include "protocol/verdict.h"

struct row {
	enum verdict_kind kind;
	int code;
	const char *status;
	enum hook hook;
	int expected_code;
	const char *expected_status;
};

static struct verdict make(enum verdict_kind kind, int code, const char *status)
{
	struct verdict v = {.kind = kind, .code = code};

	snprintf(v.status, sizeof v.status, "%s", status);
	return v;
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct verdict v = make(rows[i].kind, rows[i].code, rows[i].status);
		int code = verdict_code(&v, rows[i].hook);
		const char *status = verdict_status(&v, rows[i].hook);

		if (code != rows[i].expected_code || strcmp(status, rows[i].expected_status) != 0)
			fail_msg("%s %d \"%s\" at %s gives %d %s", verdict_word(v.kind), v.code,
				 v.status, hook_word(rows[i].hook), code, status);
	}
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof(rows)[0])

static void test_defaults_of_each_hook(void **state)
{
	static const struct row rows[] = {
		{VERDICT_REJECT, 0, "", HOOK_CONNECT, 554, "5.7.1"},
		{VERDICT_REJECT, 0, "", HOOK_EHLO, 550, "5.7.1"},
		{VERDICT_REJECT, 0, "", HOOK_STARTTLS, 554, "5.7.1"},
		{VERDICT_REJECT, 0, "", HOOK_SECURE, 554, "5.7.1"},
		{VERDICT_REJECT, 0, "", HOOK_MAIL, 550, "5.7.1"},
		{VERDICT_REJECT, 0, "", HOOK_RCPT, 550, "5.7.1"},
		{VERDICT_REJECT, 0, "", HOOK_DATA, 554, "5.7.1"},
		{VERDICT_REJECT, 0, "", HOOK_MESSAGE, 554, "5.7.1"},
		{VERDICT_TEMPFAIL, 0, "", HOOK_CONNECT, 421, "4.7.0"},
		{VERDICT_TEMPFAIL, 0, "", HOOK_EHLO, 451, "4.7.1"},
		{VERDICT_TEMPFAIL, 0, "", HOOK_STARTTLS, 454, "4.7.0"},
		{VERDICT_TEMPFAIL, 0, "", HOOK_SECURE, 451, "4.7.1"},
		{VERDICT_TEMPFAIL, 0, "", HOOK_MAIL, 451, "4.7.1"},
		{VERDICT_TEMPFAIL, 0, "", HOOK_RCPT, 451, "4.7.1"},
		{VERDICT_TEMPFAIL, 0, "", HOOK_DATA, 451, "4.7.1"},
		{VERDICT_TEMPFAIL, 0, "", HOOK_MESSAGE, 451, "4.7.1"},
		{VERDICT_DISCONNECT, 0, "", HOOK_CONNECT, 421, "4.7.0"},
		{VERDICT_DISCONNECT, 0, "", HOOK_RCPT, 421, "4.7.0"},
		{VERDICT_DISCONNECT, 0, "", HOOK_MESSAGE, 421, "4.7.0"},
		{VERDICT_ACCEPT, 0, "", HOOK_RCPT, 0, ""},
		{VERDICT_ACCEPT, 0, "", HOOK_DATA, 0, ""},
		{VERDICT_BYPASS, 0, "", HOOK_RCPT, 0, ""},
		{VERDICT_QUARANTINE, 0, "", HOOK_MESSAGE, 0, ""},
		{VERDICT_DISCARD, 0, "", HOOK_MESSAGE, 0, ""},
	};

	(void)state;
	CHECK(rows);
}

static void test_one_of_code_and_status(void **state)
{
	static const struct row rows[] = {
		{VERDICT_REJECT, 552, "", HOOK_RCPT, 552, "5.7.1"},
		{VERDICT_REJECT, 0, "5.1.1", HOOK_RCPT, 550, "5.1.1"},
		{VERDICT_REJECT, 0, "5.1.1", HOOK_MESSAGE, 554, "5.1.1"},
		{VERDICT_TEMPFAIL, 450, "", HOOK_RCPT, 450, "4.7.1"},
		{VERDICT_TEMPFAIL, 450, "", HOOK_CONNECT, 450, "4.7.0"},
		{VERDICT_TEMPFAIL, 0, "4.2.1", HOOK_STARTTLS, 454, "4.2.1"},
		{VERDICT_DISCONNECT, 550, "", HOOK_RCPT, 550, "5.7.1"},
		{VERDICT_DISCONNECT, 451, "", HOOK_RCPT, 451, "4.7.0"},
		{VERDICT_DISCONNECT, 0, "5.7.9", HOOK_RCPT, 554, "5.7.9"},
		{VERDICT_DISCONNECT, 0, "4.7.9", HOOK_RCPT, 421, "4.7.9"},
		{VERDICT_DISCONNECT, 521, "5.3.2", HOOK_CONNECT, 521, "5.3.2"},
		{VERDICT_ACCEPT, 250, "", HOOK_RCPT, 250, ""},
		{VERDICT_ACCEPT, 0, "2.1.5", HOOK_RCPT, 0, "2.1.5"},
	};

	(void)state;
	CHECK(rows);
}

static const struct {
	enum verdict_kind kind;
	int code;
	const char *status, *text, *reason, *problem;
} problems[] = {
	{VERDICT_ACCEPT, 0, "", NULL, "", NULL},
	{VERDICT_ACCEPT, 250, "2.1.5", "OK", "known", NULL},
	{VERDICT_REJECT, 550, "5.7.1", "one\ntwo", "a_b.c-9", NULL},
	{VERDICT_REJECT, 599, "5.999.999", NULL, "", NULL},
	{VERDICT_REJECT, 550, "4.7.1", NULL, "", "status 4.7.1 does not match code 550"},
	{VERDICT_REJECT, 0, "4.7.1", NULL, "", "status 4.7.1 does not fit the verdict reject"},
	{VERDICT_DISCONNECT, 421, "5.7.1", NULL, "", "status 5.7.1 does not match code 421"},
	{VERDICT_DISCONNECT, 0, "2.7.1", NULL, "",
	 "status 2.7.1 does not fit the verdict disconnect"},
	{VERDICT_TEMPFAIL, 550, "", NULL, "",
	 "code 550 does not fit the verdict tempfail: use 400 to 499"},
	{VERDICT_ACCEPT, 354, "", NULL, "",
	 "code 354 does not fit the verdict accept: use 200 to 299"},
	{VERDICT_DISCONNECT, 250, "", NULL, "",
	 "code 250 does not fit the verdict disconnect: use 400 to 599"},
	{VERDICT_REJECT, 0, "5.07.1", NULL, "",
	 "status \"5.07.1\" is not an enhanced status code such as \"5.7.1\""},
	{VERDICT_REJECT, 0, "5.7", NULL, "", "status \"5.7\" is not"},
	{VERDICT_REJECT, 0, "5.7.", NULL, "", "status \"5.7.\" is not"},
	{VERDICT_REJECT, 0, "5.7.1 ", NULL, "", "status \"5.7.1 \" is not"},
	{VERDICT_REJECT, 0, "3.7.1", NULL, "", "status \"3.7.1\" is not"},
	{VERDICT_REJECT, 0, "5.7.1\n", NULL, "", "status \"5.7.1?\" is not"},
	{VERDICT_REJECT, 0, "5.1234.1", NULL, "", "status \"5.1234.1\" is not"},
	{VERDICT_REJECT, 0, "5", NULL, "", "status \"5\" is not"},
	{VERDICT_REJECT, 0, "", "", "", "a line of text must have 1 to 480 characters, not 0"},
	{VERDICT_REJECT, 0, "", "a\n", "", "a line of text must have 1 to 480 characters, not 0"},
	{VERDICT_REJECT, 0, "", "a\r\nb", "",
	 "text must be printable ASCII: octet 2 of a line is 0x0d"},
	{VERDICT_REJECT, 0, "", "\x7f", "", "text must be printable ASCII"},
	{VERDICT_REJECT, 0, "", "gr\xc3\xbc\xc3\x9f", "", "octet 3 of a line is 0xc3"},
	{VERDICT_REJECT, 0, "", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10", "", NULL},
	{VERDICT_REJECT, 0, "", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11", "",
	 "text must have 1 to 10 lines, not 11"},
	{VERDICT_ACCEPT, 0, "", NULL, "No", "reason must be 1 to 64 characters of a-z 0-9 _ . -"},
	{VERDICT_ACCEPT, 0, "", NULL, "a b", "reason must be"},
	{VERDICT_QUARANTINE, 250, "2.0.0", "Held", "", NULL},
	{VERDICT_DISCARD, 250, "", NULL, "", NULL},
	{VERDICT_BYPASS, 451, "", NULL, "",
	 "code 451 does not fit the verdict bypass: use 200 to 299"},
	{VERDICT_QUARANTINE, 0, "4.7.1", NULL, "",
	 "status 4.7.1 does not fit the verdict quarantine"},
};

static void test_problems(void **state)
{
	char problem[256];

	(void)state;
	for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
		struct verdict v = make(problems[i].kind, problems[i].code, problems[i].status);
		const char *found;

		v.text = problems[i].text ? strdup(problems[i].text) : NULL;
		snprintf(v.reason, sizeof v.reason, "%s", problems[i].reason);
		found = verdict_problem(&v, problem, sizeof problem);
		if (!found != !problems[i].problem ||
		    (found && !strstr(found, problems[i].problem)))
			fail_msg("row %zu: %s", i, found ? found : "no problem seen");
		verdict_fini(&v);
		assert_null(v.text);
		assert_int_equal(v.kind, VERDICT_ACCEPT);
	}
}

static void test_lines_at_their_limit(void **state)
{
	char line[VERDICT_LINE_MAX + 1], problem[64];

	(void)state;
	memset(line, '~', sizeof line);
	assert_null(verdict_line_problem(line, VERDICT_LINE_MAX, problem, sizeof problem));
	assert_non_null(verdict_line_problem(line, VERDICT_LINE_MAX + 1, problem, sizeof problem));
	assert_string_equal(problem, "a line of text must have 1 to 480 characters, not 481");
	line[479] = '\0';
	assert_non_null(verdict_line_problem(line, VERDICT_LINE_MAX, problem, sizeof problem));
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* The rules that hold at every hook. */
static void test_until_labels_and_edits_fit_the_kind(void **state)
{
	static const struct {
		enum verdict_kind kind;
		enum verdict_until until;
		const char *labels;
		size_t edits;
		const char *problem;
	} table[] = {
		{VERDICT_ACCEPT, VERDICT_UNTIL_SESSION, NULL, 0, NULL},
		{VERDICT_BYPASS, VERDICT_UNTIL_TRANSACTION, NULL, 0, NULL},
		{VERDICT_QUARANTINE, VERDICT_UNTIL_SESSION, "a b.c-d_9", 100, NULL},
		{VERDICT_TEMPFAIL, VERDICT_UNTIL_SESSION, NULL, 0, NULL},
		{VERDICT_REJECT, VERDICT_UNTIL_TRANSACTION, "a", 0, NULL},
		{VERDICT_DISCARD, VERDICT_UNTIL_COMMAND, "a", 0, NULL},
		{VERDICT_DISCARD, VERDICT_UNTIL_TRANSACTION, NULL, 0,
		 "until \"transaction\" does not fit the verdict discard"},
		{VERDICT_DISCONNECT, VERDICT_UNTIL_SESSION, NULL, 0,
		 "until \"session\" does not fit the verdict disconnect"},
		{VERDICT_ACCEPT, VERDICT_UNTIL_COMMAND, "", 0, "a label must be 1 to 64"},
		{VERDICT_ACCEPT, VERDICT_UNTIL_COMMAND, "a  b", 0, "a label must be 1 to 64"},
		{VERDICT_ACCEPT, VERDICT_UNTIL_COMMAND, "a ", 0, "a label must be 1 to 64"},
		{VERDICT_ACCEPT, VERDICT_UNTIL_COMMAND, "Bulk", 0, "a label must be 1 to 64"},
		{VERDICT_ACCEPT, VERDICT_UNTIL_COMMAND, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", 0,
		 NULL},
		{VERDICT_ACCEPT, VERDICT_UNTIL_COMMAND, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
		 0, "labels must be 1 to 16, not 17"},
		{VERDICT_ACCEPT, VERDICT_UNTIL_COMMAND, NULL, 101,
		 "edits must be at most 100, not 101"},
		{VERDICT_DISCARD, VERDICT_UNTIL_COMMAND, NULL, 1,
		 "edits do not fit the verdict discard"},
		{VERDICT_TEMPFAIL, VERDICT_UNTIL_COMMAND, NULL, 1,
		 "edits do not fit the verdict tempfail"},
	};
	char problem[256];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct verdict v = {.kind = table[i].kind,
				    .until = table[i].until,
				    .labels = copy(table[i].labels),
				    .edits = calloc(table[i].edits + 1, sizeof *v.edits),
				    .edits_len = table[i].edits};
		const char *found;

		for (size_t n = 0; n < v.edits_len; n++)
			v.edits[n] = (struct edit){.kind = EDIT_DROP_RECIPIENT, .nth = 1};
		found = verdict_problem(&v, problem, sizeof problem);
		if (!found != !table[i].problem || (found && !strstr(found, table[i].problem)))
			fail_msg("row %zu: %s", i, found ? found : "no problem seen");
		verdict_fini(&v);
	}
}

static const char *hook_problem_of(const struct verdict *v, enum hook hook, unsigned grants)
{
	static char problem[256];

	return verdict_hook_problem(v, hook, grants, problem, sizeof problem);
}

static void test_each_hook_allows_its_verdicts(void **state)
{
	static const struct {
		const char *hooks;
		enum verdict_kind kind;
	} table[] = {
		{"connect ehlo starttls secure auth mail rcpt data message", VERDICT_ACCEPT},
		{"connect ehlo starttls secure mail rcpt data message", VERDICT_BYPASS},
		{"connect ehlo starttls secure mail rcpt data message", VERDICT_QUARANTINE},
		{"mail rcpt data message", VERDICT_DISCARD},
		{"connect ehlo starttls secure auth mail rcpt data message", VERDICT_TEMPFAIL},
		{"connect ehlo starttls secure auth mail rcpt data message", VERDICT_REJECT},
		{"connect ehlo starttls secure auth mail rcpt data message", VERDICT_DISCONNECT},
	};

	(void)state;
	for (unsigned kind = 0; kind < VERDICT_MAX; kind++) {
		struct verdict v = {.kind = table[kind].kind};

		assert_int_equal(v.kind, kind);
		for (unsigned i = 0; i < HOOK_MAX; i++) {
			/* "connect" is a part of "disconnect", which is in none of the rows. */
			bool allowed = i != HOOK_DISCONNECT &&
				       strstr(table[kind].hooks, hook_word((enum hook)i));
			const char *found =
				hook_problem_of(&v, (enum hook)i, 1u << HANDSHAKE_GRANT_BYPASS);

			if (allowed == !found)
				continue;
			fail_msg("%s at %s: %s", verdict_word(v.kind), hook_word((enum hook)i),
				 found ? found : "allowed");
		}
	}
}

static void test_bypass_needs_a_grant(void **state)
{
	const struct verdict bypass = {.kind = VERDICT_BYPASS};

	(void)state;
	assert_string_equal(hook_problem_of(&bypass, HOOK_MAIL, 0),
			    "bypass is not granted to this policy");
	assert_string_equal(hook_problem_of(&bypass, HOOK_AUTH, ~0u),
			    "the verdict bypass is not allowed at auth: use one of: accept "
			    "tempfail reject disconnect");
}

static void test_what_is_of_a_transaction_needs_one(void **state)
{
	char kept[] = "{}", forgotten[] = "";

	(void)state;
	for (unsigned i = 0; i < HOOK_DISCONNECT; i++) {
		bool inside = i >= HOOK_MAIL;
		struct verdict v = {.until = VERDICT_UNTIL_TRANSACTION};

		assert_int_equal(!hook_problem_of(&v, (enum hook)i, 0), inside);
		v = (struct verdict){.keep_transaction = kept};
		assert_int_equal(!hook_problem_of(&v, (enum hook)i, 0), inside);
		v = (struct verdict){.keep_transaction = forgotten};
		assert_int_equal(!hook_problem_of(&v, (enum hook)i, 0), inside);
		v = (struct verdict){.keep_session = kept, .until = VERDICT_UNTIL_SESSION};
		assert_null(hook_problem_of(&v, (enum hook)i, 0));
	}
}

static void test_each_hook_allows_its_edits(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HOOK_DISCONNECT; i++) {
		for (unsigned kind = 0; kind < EDIT_MAX; kind++) {
			struct edit edits[2] = {{.kind = (enum edit_kind)kind},
						{.kind = (enum edit_kind)kind}};
			struct verdict v = {.edits = edits, .edits_len = 2};
			bool allowed = i == HOOK_MESSAGE ||
				       (i == HOOK_MAIL && kind == EDIT_SET_SENDER) ||
				       (i == HOOK_DATA && kind == EDIT_DROP_RECIPIENT);

			assert_int_equal(!hook_problem_of(&v, (enum hook)i, 0), allowed);
			/* One that is allowed hides none that is not. */
			edits[0].kind = EDIT_SET_SENDER;
			if (!allowed)
				assert_non_null(hook_problem_of(&v, (enum hook)i, 0));
		}
	}
}

static void test_words(void **state)
{
	enum verdict_kind kind;
	enum verdict_until until = VERDICT_UNTIL_SESSION;

	(void)state;
	for (unsigned i = 0; i < VERDICT_MAX; i++) {
		assert_true(verdict_from_word(verdict_word((enum verdict_kind)i), &kind));
		assert_int_equal(kind, i);
	}
	assert_false(verdict_from_word("Accept", &kind));
	assert_false(verdict_from_word("hold", &kind));
	assert_false(verdict_from_word("", &kind));
	assert_true(VERDICT_ACCEPT < VERDICT_BYPASS && VERDICT_BYPASS < VERDICT_QUARANTINE &&
		    VERDICT_QUARANTINE < VERDICT_DISCARD && VERDICT_DISCARD < VERDICT_TEMPFAIL &&
		    VERDICT_TEMPFAIL < VERDICT_REJECT && VERDICT_REJECT < VERDICT_DISCONNECT);
	assert_false(verdict_until_from_word("Command", &until));
	assert_int_equal(until, VERDICT_UNTIL_SESSION);
	for (unsigned i = VERDICT_UNTIL_COMMAND; i <= VERDICT_UNTIL_SESSION; i++) {
		assert_true(
			verdict_until_from_word(verdict_until_word((enum verdict_until)i), &until));
		assert_int_equal(until, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_of_each_hook),
		cmocka_unit_test(test_one_of_code_and_status),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_lines_at_their_limit),
		cmocka_unit_test(test_until_labels_and_edits_fit_the_kind),
		cmocka_unit_test(test_each_hook_allows_its_verdicts),
		cmocka_unit_test(test_bypass_needs_a_grant),
		cmocka_unit_test(test_what_is_of_a_transaction_needs_one),
		cmocka_unit_test(test_each_hook_allows_its_edits),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
