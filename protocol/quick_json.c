#include "quick_json.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "strict_json.h"

#define KEY_MAX	   63 /* octets; all keys of the protocol are shorter */
#define DIGITS_MAX 15 /* below 2^53-1, whatever they are */

struct reader {
	const char *at, *end;
	unsigned depth; /* of what is open */
};

static void skip_space(struct reader *r)
{
	while (r->at < r->end &&
	       (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || *r->at == '\n'))
		r->at++;
}

/* True when this is the next character, which is then behind us, with the space around it. */
static bool take(struct reader *r, char c)
{
	skip_space(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	skip_space(r);
	return true;
}

static bool take_word(struct reader *r, const char *word, size_t len)
{
	if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
		return false;
	r->at += len;
	return true;
}

/* What is between two quotes: its length, or -1. A backslash makes it not plain. */
static ptrdiff_t take_text(struct reader *r, const char **text)
{
	const char *at;

	if (r->at == r->end || *r->at != '"')
		return -1;
	*text = at = r->at + 1;
	while (at < r->end && *at >= ' ' && *at < 0x7f && *at != '"' && *at != '\\')
		at++;
	if (at == r->end || *at != '"')
		return -1;
	r->at = at + 1;
	return at - *text;
}

static bool take_digits(struct reader *r, uint64_t *value)
{
	const char *first = r->at;

	*value = 0;
	while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && r->at - first <= DIGITS_MAX)
		*value = *value * 10 + (uint64_t)(*r->at++ - '0');
	return r->at > first && r->at - first <= DIGITS_MAX &&
	       (*first != '0' || r->at - first == 1);
}

static json_t *take_integer(struct reader *r)
{
	uint64_t value;

	return take_digits(r, &value) ? json_integer((json_int_t)value) : NULL;
}

static json_t *take_value(struct reader *r);

static bool take_member(struct reader *r, json_t *object)
{
	size_t before = json_object_size(object);
	const char *text;
	ptrdiff_t len = take_text(r, &text);
	char key[KEY_MAX + 1];
	json_t *value;

	if (len < 0 || len > KEY_MAX)
		return false;
	memcpy(key, text, (size_t)len);
	key[len] = '\0';
	value = take(r, ':') ? take_value(r) : NULL;
	/* A key that was there has got another value, and the object is as large as before. */
	return value && !json_object_set_new_nocheck(object, key, value) &&
	       json_object_size(object) > before;
}

static bool take_members(struct reader *r, json_t *object)
{
	if (take(r, '}'))
		return true;
	do
		if (!take_member(r, object))
			return false;
	while (take(r, ','));
	return take(r, '}');
}

static bool take_items(struct reader *r, json_t *array)
{
	json_t *value;

	if (take(r, ']'))
		return true;
	do {
		value = take_value(r);
		if (!value || json_array_append_new(array, value))
			return false;
	} while (take(r, ','));
	return take(r, ']');
}

/* An object or array; what it opens with is behind us. */
static json_t *take_inside(struct reader *r, json_t *outer,
			   bool (*take_all)(struct reader *r, json_t *outer))
{
	bool whole;

	skip_space(r);
	whole = outer && ++r->depth <= STRICT_JSON_DEPTH_MAX && take_all(r, outer);
	r->depth--;
	if (whole)
		return outer;
	json_decref(outer);
	return NULL;
}

static json_t *take_value(struct reader *r)
{
	const char *text;
	ptrdiff_t len;

	if (r->at == r->end)
		return NULL;
	switch (*r->at) {
	case '"':
		len = take_text(r, &text);
		return len < 0 ? NULL : json_stringn_nocheck(text, (size_t)len);
	case '{':
		r->at++;
		return take_inside(r, json_object(), take_members);
	case '[':
		r->at++;
		return take_inside(r, json_array(), take_items);
	case 't':
		return take_word(r, "true", 4) ? json_true() : NULL;
	case 'f':
		return take_word(r, "false", 5) ? json_false() : NULL;
	case 'n':
		return take_word(r, "null", 4) ? json_null() : NULL;
	default:
		return take_integer(r);
	}
}

json_t *quick_json_object(const char *line, size_t len)
{
	struct reader r = {.at = line, .end = line + len};
	json_t *object;

	skip_space(&r);
	if (r.at == r.end || *r.at != '{')
		return NULL;
	object = take_value(&r);
	skip_space(&r);
	if (object && r.at == r.end)
		return object;
	json_decref(object);
	return NULL;
}

bool quick_json_is_accept(const char *line, size_t len, uint64_t *id)
{
	static const char before[] = "{\"type\":\"reply\",\"id\":",
			  after[] = ",\"verdict\":\"accept\"}";
	struct reader r = {.at = line, .end = line + len};
	uint64_t number;

	if (!take_word(&r, before, sizeof before - 1) || !take_digits(&r, &number) ||
	    !take_word(&r, after, sizeof after - 1) || r.at < r.end)
		return false;
	*id = number;
	return true;
}
