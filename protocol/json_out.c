#include "json_out.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

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

char *json_out_reserve(struct json_out *o, size_t n)
{
	if (o->size - o->len < n) {
		o->size = grow_capacity(o->size, o->len + n);
		o->data = grow_resize(o->data, o->size);
	}
	return o->data + o->len;
}

void json_out_integer(struct json_out *o, int64_t value)
{
	char digits[24], *at = digits + sizeof digits;
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do
		*--at = (char)('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		*--at = '-';
	json_out_raw_octets(o, at, (size_t)(digits + sizeof digits - at));
}

void json_out_real(struct json_out *o, double value)
{
	double size = fabs(value);
	unsigned thousandths;
	int64_t whole;

	if (!(size < 1e15)) { /* nor NaN: JSON has no such number */
		json_out_raw(o, "null");
		return;
	}
	whole = (int64_t)size;
	thousandths = (unsigned)((size - (double)whole) * 1000 + 0.5);
	whole += thousandths / 1000;
	thousandths %= 1000;
	if (value < 0)
		json_out_raw(o, "-");
	json_out_integer(o, whole);
	json_out_raw_octets(o,
			    (char[]){'.', (char)('0' + thousandths / 100),
				     (char)('0' + thousandths / 10 % 10),
				     (char)('0' + thousandths % 10)},
			    4);
}

/* True for what stands in a JSON string as it is; the rest is escaped or needs a look at its UTF-8.
 */
static bool is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

#define EACH_OCTET(c) (UINT64_C(0x0101010101010101) * (c))

/* Not 0 when an octet of eight is 0 or, as a neighbour of such a one, 1. */
static uint64_t zeros(uint64_t eight)
{
	return (eight - EACH_OCTET(1)) & ~eight & EACH_OCTET(0x80);
}

/* The same for eight octets at a time: most of what is ever written passes through here. A borrow
 * or carry from one octet into the next comes only from one that is not plain itself. */
static bool are_plain(uint64_t eight)
{
	uint64_t below_space = (eight - EACH_OCTET(' ')) & ~eight;
	uint64_t beyond_tilde = eight | (eight + EACH_OCTET(1));

	return !(((below_space | beyond_tilde) & EACH_OCTET(0x80)) |
		 zeros(eight ^ EACH_OCTET('"')) | zeros(eight ^ EACH_OCTET('\\')));
}

static void put_escaped(struct json_out *o, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	if (c == '"' || c == '\\')
		json_out_raw_octets(o, (char[]){'\\', (char)c}, 2);
	else if (c == '\n')
		json_out_raw(o, "\\n");
	else if (c == '\r')
		json_out_raw(o, "\\r");
	else if (c == '\t')
		json_out_raw(o, "\\t");
	else
		json_out_raw_octets(o, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
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

/* False when not all is plain; what is at `to` is then of no use. */
static bool copy_plain(char *to, const char *data, size_t len)
{
	uint64_t eight;

	if (len < sizeof eight) {
		for (size_t i = 0; i < len; i++) {
			if (!is_plain((unsigned char)data[i]))
				return false;
			to[i] = data[i];
		}
		return true;
	}
	for (size_t i = 0;; i += sizeof eight) {
		if (i > len - sizeof eight) /* the last ones, some of them twice */
			i = len - sizeof eight;
		memcpy(&eight, data + i, sizeof eight);
		if (!are_plain(eight))
			return false;
		memcpy(to + i, &eight, sizeof eight);
		if (i == len - sizeof eight)
			return true;
	}
}

/* One that has more than plain octets in it. */
static int put_mixed(struct json_out *o, struct octets value)
{
	int exact = 1;
	size_t i = 0, plain;

	json_out_raw(o, "\"");
	while (i < value.len) {
		for (plain = i; plain < value.len && is_plain((unsigned char)value.data[plain]);)
			plain++;
		json_out_raw_octets(o, value.data + i, plain - i);
		i = plain;
		if (i < value.len)
			i += put_special(o, value.data + i, value.len - i, &exact);
	}
	json_out_raw(o, "\"");
	return exact;
}

int json_out_octets_value(struct json_out *o, struct octets value)
{
	char *to = json_out_reserve(o, value.len + 2);

	if (!copy_plain(to + 1, value.data, value.len))
		return put_mixed(o, value);
	to[0] = to[value.len + 1] = '"';
	o->len += value.len + 2;
	return 1;
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
	char *out = json_out_reserve(o, len / 3 * 4 + 6);
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
