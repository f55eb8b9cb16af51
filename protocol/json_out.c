#include "json_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void json_out_fini(struct json_out *o)
{
	free(o->data);
	*o = (struct json_out){0};
}

void json_out_clear(struct json_out *o)
{
	o->len = 0;
}

/* Room for n more octets. */
static char *reserve(struct json_out *o, size_t n)
{
	if (o->size - o->len < n) {
		o->size = grow_capacity(o->size, o->len + n);
		o->data = grow_resize(o->data, o->size);
	}
	return o->data + o->len;
}

void json_out_raw_octets(struct json_out *o, const char *data, size_t len)
{
	if (!len)
		return;
	memcpy(reserve(o, len), data, len);
	o->len += len;
}

void json_out_raw(struct json_out *o, const char *text)
{
	json_out_raw_octets(o, text, strlen(text));
}

void json_out_integer(struct json_out *o, int64_t value)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%" PRId64, value);

	json_out_raw_octets(o, digits, (size_t)len);
}

/* True for what stands in a JSON string as it is; the rest is escaped or needs a look at its UTF-8.
 */
static int is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static void put_escaped(struct json_out *o, unsigned char c)
{
	char escape[8];

	if (c == '"' || c == '\\')
		snprintf(escape, sizeof escape, "\\%c", c);
	else if (c == '\n')
		snprintf(escape, sizeof escape, "\\n");
	else if (c == '\r')
		snprintf(escape, sizeof escape, "\\r");
	else if (c == '\t')
		snprintf(escape, sizeof escape, "\\t");
	else
		snprintf(escape, sizeof escape, "\\u%04x", c);
	json_out_raw(o, escape);
}

/* Writes what is not plain at data[0]; returns the octets used up. */
static size_t put_special(struct json_out *o, const char *data, size_t len, int *exact)
{
	unsigned char c = (unsigned char)data[0];
	size_t n;

	if (c && c < 0x80) {
		put_escaped(o, c);
		return 1;
	}
	n = c ? utf8_length(data, len) : 0;
	if (!n) {
		/* One octet, one sign: a reader sees how much is broken. */
		json_out_raw(o, REPLACEMENT);
		*exact = 0;
		return 1;
	}
	if (n == 3 && !memcmp(data, REPLACEMENT, 3))
		*exact = 0;
	json_out_raw_octets(o, data, n);
	return n;
}

int json_out_octets_value(struct json_out *o, struct octets value)
{
	int exact = 1;
	size_t i = 0, plain;

	reserve(o, value.len + 2);
	json_out_raw_octets(o, "\"", 1);
	while (i < value.len) {
		for (plain = i; plain < value.len && is_plain((unsigned char)value.data[plain]);)
			plain++;
		json_out_raw_octets(o, value.data + i, plain - i);
		i = plain;
		if (i < value.len)
			i += put_special(o, value.data + i, value.len - i, &exact);
	}
	json_out_raw_octets(o, "\"", 1);
	return exact;
}

void json_out_text(struct json_out *o, const char *text)
{
	json_out_octets_value(o, (struct octets){text, strlen(text)});
}

void json_out_octets(struct json_out *o, const char *name, struct octets value)
{
	json_out_raw(o, "\"");
	json_out_raw(o, name);
	json_out_raw(o, "\":");
	if (!value.data) {
		json_out_raw(o, "null");
		return;
	}
	if (json_out_octets_value(o, value))
		return;
	json_out_raw(o, ",\"");
	json_out_raw(o, name);
	json_out_raw(o, "_b64\":");
	json_out_base64(o, value.data, value.len);
}

void json_out_words(struct json_out *o, const char *words)
{
	size_t len;

	json_out_raw(o, "[");
	for (; *words; words += len + (words[len] == ' ')) {
		len = strcspn(words, " ");
		json_out_octets_value(o, (struct octets){words, len});
		if (words[len])
			json_out_raw(o, ",");
	}
	json_out_raw(o, "]");
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void json_out_base64(struct json_out *o, const char *data, size_t len)
{
	const unsigned char *in = (const unsigned char *)data;
	char *out = reserve(o, len / 3 * 4 + 6);
	size_t i;

	*out++ = '"';
	for (i = 0; i + 2 < len; i += 3) {
		*out++ = base64_digits[in[i] >> 2];
		*out++ = base64_digits[(in[i] & 3) << 4 | in[i + 1] >> 4];
		*out++ = base64_digits[(in[i + 1] & 15) << 2 | in[i + 2] >> 6];
		*out++ = base64_digits[in[i + 2] & 63];
	}
	if (i < len) {
		int next = i + 1 < len ? in[i + 1] : 0;

		*out++ = base64_digits[in[i] >> 2];
		*out++ = base64_digits[(in[i] & 3) << 4 | next >> 4];
		*out++ = i + 1 < len ? base64_digits[(next & 15) << 2] : '=';
		*out++ = '=';
	}
	*out++ = '"';
	o->len = (size_t)(out - o->data);
}
