/* The chunk reader, fed in pieces (the first octet says of which size), against a plain reading of
 * the whole. The rest of the input: the argument of a BDAT, LF, its octets; and so on. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "smtp/smtp_chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whether a CR or LF is not of a CRLF; at the end of a message also a last CR. */
static bool has_bare_newline(const char *text, size_t len, bool end)
{
	for (size_t i = 0; i < len; i++) {
		bool cr = i && text[i - 1] == '\r';

		if (text[i] == '\n' ? !cr : cr)
			return true;
	}
	return end && len && text[len - 1] == '\r';
}

/* Reads one chunk; returns how many of the `len` octets it has used. */
static size_t read_chunk(struct smtp_chunk *chunk, const char *text, size_t len, size_t piece,
			 struct buf *body)
{
	size_t at = 0, come = 0;

	for (;;) {
		struct octets octets;
		char *part = malloc(come - at + 1);
		enum smtp_chunk_result result;

		part = realloc(part, come - at ? come - at : 1);
		if (come > at)
			memcpy(part, text + at, come - at);
		result = smtp_chunk_read(chunk, part, come - at, &octets);
		if (result == SMTP_CHUNK_BODY) {
			assert(octets.data == part && octets.len && octets.len <= come - at);
			buf_append(body, octets.data, octets.len);
			at += octets.len;
		} else {
			assert(!octets.len);
		}
		free(part);
		if (result == SMTP_CHUNK_END || (result == SMTP_CHUNK_MORE && come == len))
			return at;
		if (result == SMTP_CHUNK_MORE) {
			assert(at == come);
			come = len - come < piece ? len : come + piece;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_chunk chunk = {0};
	const char *at = (const char *)data + 1, *end = (const char *)data + size;
	struct buf body;

	if (size < 2)
		return 0;
	buf_init(&body, size);
	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t rest, used;
		uint64_t announced;

		if (!lf || !smtp_chunk_begin(&chunk, (struct octets){at, (size_t)(lf - at)}))
			break;
		announced = chunk.left;
		at = lf + 1;
		rest = (size_t)(end - at);
		used = read_chunk(&chunk, at, rest, data[0] ? data[0] : size, &body);
		assert(used == (announced < rest ? announced : rest));
		assert(chunk.left == announced - used);
		at += used;
		if (chunk.left || chunk.last)
			break;
	}
	assert(chunk.bare_newline == has_bare_newline(body.len ? buf_head(&body) : "", body.len,
						      chunk.last && !chunk.left));
	buf_fini(&body);
	return 0;
}
