#include "header_edit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

/* A line and those that continue it. */
struct piece {
	const char *data;
	size_t len;
	size_t name_len; /* 0: no field */
};

/* One pass over the edits and the section. */
struct work {
	const struct edit *edits;
	size_t edits_len;
	struct {
		size_t fields; /* of its name, up to here */
		bool found;    /* one that it replaces */
	} * states;
	struct buf *out;
	bool open_line; /* what was written last does not end its line */
};

static bool is_white(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_name_octet(char c)
{
	return c > 0x20 && c < 0x7f && c != ':';
}

/* --- the section --- */

/* RFC 5322 section 4.5.8: white space before the colon was once allowed, and is seen. */
static size_t name_length(const char *data, size_t len)
{
	size_t n = 0, at;

	while (n < len && is_name_octet(data[n]))
		n++;
	for (at = n; at < len && is_white(data[at]); at++)
		;
	return at < len && data[at] == ':' ? n : 0;
}

static const char *line_end(const char *at, const char *end)
{
	const char *lf = memchr(at, '\n', (size_t)(end - at));

	return lf ? lf + 1 : end;
}

/* Cuts the next piece off; false at the end. */
static bool next_piece(const char **at, const char *end, struct piece *piece)
{
	const char *next;

	if (*at == end)
		return false;
	next = line_end(*at, end);
	piece->data = *at;
	piece->name_len = name_length(*at, (size_t)(next - *at));
	while (next < end && is_white(*next))
		next = line_end(next, end);
	piece->len = (size_t)(next - *at);
	*at = next;
	return true;
}

static bool is_preamble(const struct piece *piece)
{
	return !piece->name_len && (is_white(piece->data[0]) ||
				    (piece->len >= 5 && memcmp(piece->data, "From ", 5) == 0));
}

/* --- which edit is for which field --- */

static bool edits_field(const struct edit *edit)
{
	return edit->kind == EDIT_REPLACE_HEADER || edit->kind == EDIT_DELETE_HEADER;
}

static bool has_name(const struct piece *piece, const char *name)
{
	return strncasecmp(piece->data, name, piece->name_len) == 0 && !name[piece->name_len];
}

/* The last edit of this field; NULL: it stays. To be asked once for each field, in order. */
static const struct edit *find_edit(struct work *w, const struct piece *piece)
{
	const struct edit *found = NULL;

	for (size_t i = 0; piece->name_len && i < w->edits_len; i++) {
		const struct edit *edit = &w->edits[i];

		if (!edits_field(edit) || !has_name(piece, edit->name))
			continue;
		w->states[i].fields++;
		if (edit->nth && edit->nth != w->states[i].fields)
			continue;
		w->states[i].found = true;
		found = edit;
	}
	return found;
}

/* Whether a replacement finds its field must be known before the bottom is written. */
static void find_fields(struct work *w, const char *header, size_t len)
{
	struct piece piece;

	for (const char *at = header; next_piece(&at, header + len, &piece);)
		find_edit(w, &piece);
	for (size_t i = 0; i < w->edits_len; i++)
		w->states[i].fields = 0;
}

/* --- the new section --- */

static void write_piece(struct work *w, const struct piece *piece)
{
	buf_append(w->out, piece->data, piece->len);
	w->open_line = piece->data[piece->len - 1] != '\n';
}

static void write_field(struct work *w, const struct edit *edit)
{
	if (w->open_line)
		buf_append_string(w->out, "\r\n");
	w->open_line = false;
	buf_append_string(w->out, edit->name);
	buf_append_string(w->out, ": ");
	buf_append_string(w->out, edit->value);
	buf_append_string(w->out, "\r\n");
}

static void write_added(struct work *w, bool bottom)
{
	for (size_t i = 0; i < w->edits_len; i++) {
		const struct edit *edit = &w->edits[i];

		if (edit->kind == EDIT_ADD_HEADER
			    ? edit->bottom == bottom
			    : edit->kind == EDIT_REPLACE_HEADER && bottom && !w->states[i].found)
			write_field(w, edit);
	}
}

static void write_edited(struct work *w, const struct piece *piece)
{
	const struct edit *edit = find_edit(w, piece);

	if (!edit)
		write_piece(w, piece);
	else if (edit->kind == EDIT_REPLACE_HEADER)
		write_field(w, edit);
}

static void write_section(struct work *w, const char *header, size_t len)
{
	const char *at = header, *end = header + len;
	struct piece piece = {0};
	bool more = next_piece(&at, end, &piece), bottom = false;

	if (more && is_preamble(&piece)) {
		write_piece(w, &piece);
		more = next_piece(&at, end, &piece);
	}
	write_added(w, false);
	for (; more; more = next_piece(&at, end, &piece)) {
		if (!piece.name_len && !bottom) {
			write_added(w, true);
			bottom = true;
		}
		write_edited(w, &piece);
	}
	if (!bottom)
		write_added(w, true);
}

/* --- the rules --- */

static bool is_name(const char *name)
{
	if (!*name)
		return false;
	for (; *name; name++)
		if (!is_name_octet(*name))
			return false;
	return true;
}

/* Header injection: a service's value must not write a field or a body of its own. */
static bool is_within_field(const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			return false;
		if (*value != '\r')
			continue;
		if (value[1] != '\n' || !is_white(value[2]))
			return false;
		value++;
	}
	return true;
}

static bool check_edit(const struct edit *edit, char *problem, size_t size)
{
	if (edit->kind != EDIT_ADD_HEADER && !edits_field(edit))
		return true;
	if (!edit->name || !is_name(edit->name)) {
		snprintf(problem, size, "not the name of a header field");
		return false;
	}
	if (edit->kind == EDIT_DELETE_HEADER || (edit->value && is_within_field(edit->value)))
		return true;
	snprintf(problem, size, "the value of %s does not stay within its field", edit->name);
	return false;
}

bool header_edit(const char *header, size_t len, const struct edit *edits, size_t edits_len,
		 struct buf *out, char *problem, size_t size)
{
	struct work w = {.edits = edits, .edits_len = edits_len, .out = out};

	for (size_t i = 0; i < edits_len; i++)
		if (!check_edit(&edits[i], problem, size))
			return false;
	w.states = mem_new(edits_len * sizeof *w.states);
	find_fields(&w, header, len);
	write_section(&w, header, len);
	free(w.states);
	if (!out->overflow)
		return true;
	snprintf(problem, size, "the header would be longer than %zu octets", out->max);
	return false;
}
