/* The dot reader, fed in pieces (the first octet says of which size), against a plain reading of
 * RFC 5321 4.5.2 over the whole. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "smtp/smtp_dot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	struct buf body;
	bool bare;
	size_t end; /* octets up to and with the end; 0: none */
};

/* Line by line, each ending in CRLF. */
static void read_plainly(const char *text, size_t len, struct outcome *o)
{
	size_t at = 0;

	while (!o->end) {
		const char *crlf = memmem(text + at, len - at, "\r\n", 2);
		size_t n = crlf ? (size_t)(crlf - text) - at : len - at;

		if (crlf && n == 1 && text[at] == '.') {
			o->end = at + 3;
			break;
		}
		if (memchr(text + at, '\n', n) || memchr(text + at, '\r', n))
			o->bare = true;
		if (n && text[at] == '.')
			buf_append(&o->body, text + at + 1, n - 1);
		else
			buf_append(&o->body, text + at, n);
		if (!crlf)
			break;
		buf_append(&o->body, "\r\n", 2);
		at += n + 2;
	}
}

static void read_in_pieces(const char *text, size_t len, size_t piece, struct outcome *o)
{
	struct smtp_dot dot = {0};
	enum smtp_dot_result result = SMTP_DOT_MORE;
	size_t at = 0, seen = 0;

	while (seen < len && result != SMTP_DOT_END) {
		seen = len - seen < piece ? len : seen + piece;
		do {
			struct octets body;
			size_t used;
			char *part = malloc(seen - at + 1);

			part = realloc(part, seen - at ? seen - at : 1);
			memcpy(part, text + at, seen - at);
			result = smtp_dot_read(&dot, part, seen - at, &body, &used);
			assert(used <= seen - at && (result != SMTP_DOT_BODY || body.len));
			if (body.len)
				buf_append(&o->body, body.data, body.len);
			at += used;
			free(part);
		} while (result == SMTP_DOT_BODY);
		assert(result == SMTP_DOT_END || seen - at <= 2);
	}
	o->bare = dot.bare_newline;
	if (result == SMTP_DOT_END)
		o->end = at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome plain = {0}, pieces = {0};
	const char *text = (const char *)data + 1;
	size_t piece;

	if (size < 2)
		return 0;
	piece = data[0] ? data[0] : size;
	buf_init(&plain.body, 2 * size);
	buf_init(&pieces.body, 2 * size);
	read_plainly(text, size - 1, &plain);
	read_in_pieces(text, size - 1, piece, &pieces);
	assert(plain.end == pieces.end);
	/* Without an end, what is not decided yet is not told yet. */
	assert(pieces.body.len <= plain.body.len);
	if (plain.end) {
		assert(pieces.body.len == plain.body.len && plain.bare == pieces.bare);
	} else {
		assert(plain.body.len - pieces.body.len <= 2);
		assert(plain.bare || !pieces.bare);
	}
	if (pieces.body.len)
		assert(!memcmp(buf_head(&pieces.body), buf_head(&plain.body), pieces.body.len));
	buf_fini(&plain.body);
	buf_fini(&pieces.body);
	return 0;
}
