#include "edit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

static const char *const words[] = {
	[EDIT_ADD_HEADER] = "add_header",	[EDIT_REPLACE_HEADER] = "replace_header",
	[EDIT_DELETE_HEADER] = "delete_header", [EDIT_SET_SENDER] = "set_sender",
	[EDIT_ADD_RECIPIENT] = "add_recipient", [EDIT_DROP_RECIPIENT] = "drop_recipient",
};

void edit_fini(struct edit *edit)
{
	free(edit->name);
	free(edit->value);
	*edit = (struct edit){0};
}

const char *edit_word(enum edit_kind kind)
{
	assert(kind < EDIT_MAX);
	return words[kind];
}

bool edit_from_word(const char *word, enum edit_kind *kind)
{
	for (unsigned i = 0; i < EDIT_MAX; i++) {
		if (strcmp(words[i], word) == 0) {
			*kind = (enum edit_kind)i;
			return true;
		}
	}
	return false;
}

static const char *name_problem(const char *name, char *problem, size_t size)
{
	size_t len = name ? strlen(name) : 0;

	if (len < 1 || len > EDIT_NAME_MAX) {
		snprintf(problem, size, "the name of a field must have 1 to %d characters, not %zu",
			 EDIT_NAME_MAX, len);
		return problem;
	}
	for (size_t i = 0; i < len; i++) {
		if (name[i] > ' ' && name[i] <= '~' && name[i] != ':')
			continue;
		snprintf(problem, size,
			 "the name of a field must be printable ASCII without space and colon: "
			 "octet %zu is 0x%02x",
			 i + 1, (unsigned char)name[i]);
		return problem;
	}
	return NULL;
}

/* The octets of the character at text[0], when it is none that a header or an address must not
 * have: a control (a tab is none here), or no UTF-8. 0 otherwise. */
static size_t text_length(const char *text)
{
	size_t n = utf8_length(text, strnlen(text, 4));
	unsigned code = n ? utf8_code_point(text, n) : 0;

	if (code == '\t')
		return 1;
	return code < ' ' || (code >= 0x7f && code <= 0x9f) ? 0 : n;
}

static const char *octet_problem(const char *value, const char *at, char *problem, size_t size)
{
	snprintf(problem, size,
		 "octet %zu of a value, 0x%02x, is a control, no UTF-8, or a CRLF without white "
		 "space after it",
		 (size_t)(at - value) + 1, (unsigned char)*at);
	return problem;
}

static const char *line_problem(size_t len, bool blank, char *problem, size_t size)
{
	if (len > EDIT_LINE_MAX)
		snprintf(problem, size, "a line of a field must have at most %d octets, not %zu",
			 EDIT_LINE_MAX, len);
	else if (blank)
		snprintf(problem, size, "a line of a folded value has only white space");
	else
		return NULL;
	return problem;
}

/* Each line of the field is short enough, and each after the first goes on with white space and
 * has more than that: the field ends where the gateway ends it, and nowhere else. */
static const char *value_problem(const char *name, const char *value, char *problem, size_t size)
{
	size_t len = strlen(name) + 2; /* ": " */
	bool blank = false;
	const char *p = value;

	while (*p) {
		size_t n = text_length(p);

		if (!n && p[0] == '\r' && p[1] == '\n' && (p[2] == ' ' || p[2] == '\t')) {
			if (line_problem(len, blank, problem, size))
				return problem;
			p += 2;
			len = 0;
			blank = true;
			continue;
		}
		if (!n)
			return octet_problem(value, p, problem, size);
		if (*p != ' ' && *p != '\t')
			blank = false;
		len += n;
		p += n;
	}
	return line_problem(len, blank, problem, size);
}

static const char *address_problem(const char *address, char *problem, size_t size)
{
	size_t n;

	for (const char *p = address; *p; p += n) {
		n = text_length(p);
		if (n && *p != '\t' && *p != '<' && *p != '>')
			continue;
		snprintf(problem, size,
			 "octet %zu of an address, 0x%02x, is an angle bracket, a control or no "
			 "UTF-8",
			 (size_t)(p - address) + 1, (unsigned char)*p);
		return problem;
	}
	return NULL;
}

static const char *say(const char *what, char *problem, size_t size)
{
	snprintf(problem, size, "%s", what);
	return problem;
}

const char *edit_problem(const struct edit *edit, char *problem, size_t size)
{
	const char *value = edit->value ? edit->value : "";

	if (edit->kind == EDIT_REPLACE_HEADER && !edit->nth)
		return say("\"nth\" of replace_header counts from 1", problem, size);
	if (edit->kind == EDIT_DROP_RECIPIENT && !edit->nth)
		return say("\"index\" of drop_recipient counts from 1", problem, size);
	if (edit->kind == EDIT_ADD_RECIPIENT && !*value)
		return say("the address of a recipient is empty", problem, size);
	switch (edit->kind) {
	case EDIT_ADD_HEADER:
	case EDIT_REPLACE_HEADER:
		if (name_problem(edit->name, problem, size))
			return problem;
		return value_problem(edit->name, value, problem, size);
	case EDIT_DELETE_HEADER:
		return name_problem(edit->name, problem, size);
	case EDIT_SET_SENDER:
	case EDIT_ADD_RECIPIENT:
		return address_problem(value, problem, size);
	case EDIT_DROP_RECIPIENT:
	case EDIT_MAX:
		break;
	}
	return NULL;
}
