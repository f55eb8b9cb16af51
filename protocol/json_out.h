/* json_out: JSON text written directly into one growing piece of memory.
 *
 * jansson parses what others send; what we send is written here, since that is several times faster
 * and since jansson refuses strings that are not UTF-8, which clients do send. */
#ifndef PROTOCOL_JSON_OUT_H
#define PROTOCOL_JSON_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hook.h"

struct json_out {
	char *data; /* NULL before the first octet; not NUL-terminated */
	size_t len, size;
};

void json_out_fini(struct json_out *o);
/* Keeps the memory for the next line. */
void json_out_clear(struct json_out *o);
/* Room for n more octets; the caller counts them in `len` when they are written. */
char *json_out_reserve(struct json_out *o, size_t n);
void json_out_integer(struct json_out *o, int64_t value);
/* Three decimals: what is real are milliseconds, and nobody wants twelve more digits of them. null
 * for what JSON has no number for, and beyond 10^15. */
void json_out_real(struct json_out *o, double value);
/* A quoted and escaped string; the text must be valid UTF-8 (ours or checked). */
void json_out_text(struct json_out *o, const char *text);
/* "name":"..." of a client's octets: exact when they are UTF-8 without NUL and U+FFFD; otherwise
 * each offending octet shows as U+FFFD and "name_b64":"..." with the exact octets follows. Absent
 * octets write "name":null. `name` is ours. No comma around it. */
void json_out_octets(struct json_out *o, const char *name, struct octets value);
/* The value alone in quotes, in the same way but with no _b64 beside it; returns 1 when it is
 * exact. */
int json_out_octets_value(struct json_out *o, struct octets value);
/* An array of the words, which have one space between them. */
void json_out_words(struct json_out *o, const char *words);
/* Base 64 in quotes (RFC 4648 section 4, with padding). */
void json_out_base64(struct json_out *o, const char *data, size_t len);

/* Octets as they are: punctuation and text that is JSON already. Here, so that a constant costs a
 * few stores and no call. */
static inline void json_out_raw_octets(struct json_out *o, const char *data, size_t len)
{
	if (!len)
		return;
	memcpy(o->size - o->len < len ? json_out_reserve(o, len) : o->data + o->len, data, len);
	o->len += len;
}

static inline void json_out_raw(struct json_out *o, const char *text)
{
	json_out_raw_octets(o, text, strlen(text));
}

/* A quoted string that needs no escape, whatever its value: a word of the protocol, a time, an
 * address, an identifier that we have made. */
static inline void json_out_word(struct json_out *o, const char *word)
{
	size_t len = strlen(word);
	char *to = json_out_reserve(o, len + 2);

	to[0] = to[len + 1] = '"';
	memcpy(to + 1, word, len);
	o->len += len + 2;
}

#endif
