#include "header_check.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "message/header_edit.h"

/* Of pieces: [start, start + len). */
struct cut {
	const char *start;
	size_t len;
};

struct cuts {
	struct cut *items;
	size_t len;
};

/* Before each line that begins with neither blank nor tab. */
static struct cuts cut(const char *data, size_t len)
{
	struct cuts cuts = {calloc(len + 1, sizeof(struct cut)), 0};

	for (size_t i = 0; i < len; i++) {
		if (i == 0 || (data[i - 1] == '\n' && data[i] != ' ' && data[i] != '\t'))
			cuts.items[cuts.len++].start = data + i;
		cuts.items[cuts.len - 1].len++;
	}
	return cuts;
}

static bool is_named(const struct cut *c, const char *name)
{
	size_t n = strlen(name), at = n;

	if (c->len < n || strncasecmp(c->start, name, n) != 0)
		return false;
	while (at < c->len && (c->start[at] == ' ' || c->start[at] == '\t'))
		at++;
	return at < c->len && c->start[at] == ':';
}

/* Which field of this name `c` is, from 1. */
static size_t number(const struct cuts *cuts, size_t at, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i <= at; i++)
		n += is_named(&cuts->items[i], name);
	return n;
}

static bool is_for(const struct edit *edit, const struct cuts *cuts, size_t at)
{
	if (edit->kind != EDIT_REPLACE_HEADER && edit->kind != EDIT_DELETE_HEADER)
		return false;
	return is_named(&cuts->items[at], edit->name) &&
	       (!edit->nth || number(cuts, at, edit->name) == edit->nth);
}

static bool is_new(const struct cut *c)
{
	return memmem(c->start, c->len, HEADER_CHECK_MARK, strlen(HEADER_CHECK_MARK)) != NULL;
}

/* How many new fields there must be: each that is added, and replacements that found nothing or
 * count for what they found. */
static size_t count_new(const struct cuts *before, const struct edit *edits, size_t edits_len)
{
	size_t n = 0;

	for (size_t e = 0; e < edits_len; e++) {
		bool found = false;

		for (size_t i = 0; i < before->len; i++)
			found |= is_for(&edits[e], before, i);
		n += edits[e].kind == EDIT_ADD_HEADER ||
		     (edits[e].kind == EDIT_REPLACE_HEADER && !found);
	}
	for (size_t i = 0; i < before->len; i++) {
		const struct edit *last = NULL;

		for (size_t e = 0; e < edits_len; e++)
			last = is_for(&edits[e], before, i) ? &edits[e] : last;
		n += last && last->kind == EDIT_REPLACE_HEADER;
	}
	return n;
}

static bool is_kept(const struct cuts *before, size_t at, const struct edit *edits,
		    size_t edits_len)
{
	for (size_t e = 0; e < edits_len; e++)
		if (is_for(&edits[e], before, at))
			return false;
	return true;
}

/* Only the last line of all may have been without its end. */
static void assert_same(const struct cut *before, const struct cut *after, bool last)
{
	bool ended = last && after->len == before->len + 2 &&
		     !memcmp(after->start + before->len, "\r\n", 2);

	assert(after->len == before->len || ended);
	assert(!memcmp(after->start, before->start, before->len));
}

static void compare(const struct cuts *before, const struct cuts *after, const struct edit *edits,
		    size_t edits_len)
{
	size_t at = 0, new = 0;

	for (size_t i = 0; i < after->len; i++) {
		const struct cut *c = &after->items[i];

		if (is_new(c)) {
			assert(c->len > 2 && !memcmp(c->start + c->len - 2, "\r\n", 2));
			new ++;
			continue;
		}
		while (at < before->len && !is_kept(before, at, edits, edits_len))
			at++;
		assert(at < before->len);
		assert_same(&before->items[at], c, at == before->len - 1);
		at++;
	}
	while (at < before->len && !is_kept(before, at, edits, edits_len))
		at++;
	assert(at == before->len);
	assert(new == count_new(before, edits, edits_len));
}

void header_check(const char *header, size_t len, const struct edit *edits, size_t edits_len)
{
	struct cuts before, after;
	struct buf out;
	char problem[100];

	if (memmem(header, len, HEADER_CHECK_MARK, strlen(HEADER_CHECK_MARK)))
		return;
	buf_init(&out, SIZE_MAX);
	assert(header_edit(header, len, edits, edits_len, &out, problem, sizeof problem));
	before = cut(header, len);
	after = cut(out.len ? buf_head(&out) : "", out.len);
	compare(&before, &after, edits, edits_len);
	free(before.items);
	free(after.items);
	buf_fini(&out);
}
