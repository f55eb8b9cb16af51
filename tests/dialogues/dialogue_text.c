#include "dialogue_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dialogue.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One escape but \*N{}; returns how many octets of the text it took, 0 when it is none. */
static size_t unescape_octet(const char *text, size_t len, struct buf *out)
{
	static const char names[] = "rnt0\\\"", octets[] = "\r\n\t\0\\\"";
	const char *found;

	if (len < 2)
		return 0;
	found = memchr(names, text[1], sizeof(names) - 1);
	if (found != NULL) {
		buf_append(out, &octets[found - names], 1);
		return 2;
	}
	if (text[1] == 'x' && len >= 4 && hex_value(text[2]) >= 0 && hex_value(text[3]) >= 0) {
		char octet = (char)(hex_value(text[2]) * 16 + hex_value(text[3]));

		buf_append(out, &octet, 1);
		return 4;
	}
	return 0;
}

static bool unescape_plain(const char *text, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len;) {
		size_t taken = 1;

		if (text[i] == '\\')
			taken = unescape_octet(text + i, len - i, out);
		else
			buf_append(out, text + i, 1);
		if (taken == 0)
			return false;
		i += taken;
	}
	return true;
}

/* \*N{text}; returns how many octets of the text it took, 0 when it is malformed. */
static size_t unescape_repeat(const char *text, size_t len, struct buf *out)
{
	char *end;
	unsigned long count = strtoul(text + 2, &end, 10);
	const char *close;
	struct buf once;
	bool ok;

	if (end == text + 2 || *end != '{' || count == 0 || count > DIALOGUE_OCTETS_MAX)
		return 0;
	end++;
	close = memchr(end, '}', len - (size_t)(end - text));
	if (close == NULL)
		return 0;
	buf_init(&once, DIALOGUE_OCTETS_MAX);
	ok = unescape_plain(end, (size_t)(close - end), &once);
	for (unsigned long i = 0; ok && i < count; i++)
		ok = buf_append(out, buf_head(&once), once.len);
	buf_fini(&once);
	return ok ? (size_t)(close - text) + 1 : 0;
}

bool dialogue_text_unescape(const char *text, size_t len, struct buf *out)
{
	size_t i = 0;

	while (i < len) {
		const char *escape = memchr(text + i, '\\', len - i);
		size_t plain = escape != NULL ? (size_t)(escape - text) - i : len - i, taken;

		if (plain != 0)
			buf_append(out, text + i, plain);
		i += plain;
		if (i == len)
			break;
		if (len - i >= 2 && text[i + 1] == '*')
			taken = unescape_repeat(text + i, len - i, out);
		else
			taken = unescape_octet(text + i, len - i, out);
		if (taken == 0)
			return false;
		i += taken;
	}
	return !out->overflow;
}

/* The end of a value that starts at `text`: behind its last octet. */
static const char *value_end(const char *text, bool quoted)
{
	for (; *text != '\0'; text++) {
		if (quoted ? *text == '"' : isspace((unsigned char)*text))
			return text;
		if (*text == '\\' && text[1] != '\0')
			text++;
	}
	return quoted ? NULL : text;
}

char *dialogue_text_field(const char **text, struct buf *value)
{
	const char *start = *text + strspn(*text, " "), *equals = start + strcspn(start, "= \""),
		   *end;
	bool quoted;

	if (equals == start || *equals != '=')
		return NULL;
	quoted = equals[1] == '"';
	end = value_end(equals + 1 + quoted, quoted);
	if (end == NULL || !dialogue_text_unescape(equals + 1 + quoted,
						   (size_t)(end - equals) - 1 - quoted, value))
		return NULL;
	*text = end + quoted;
	return mem_copy_bytes(start, (size_t)(equals - start));
}

bool dialogue_text_matches(const char *expected, size_t expected_len, const char *line, size_t len)
{
	const char *star = memchr(expected, '*', expected_len);
	size_t before, i;

	if (star == NULL)
		return expected_len == len && memcmp(expected, line, len) == 0;
	before = (size_t)(star - expected);
	if (len < before || memcmp(expected, line, before) != 0)
		return false;
	for (i = before; i < len && isalnum((unsigned char)line[i]); i++)
		;
	return i > before &&
	       dialogue_text_matches(star + 1, expected_len - before - 1, line + i, len - i);
}
