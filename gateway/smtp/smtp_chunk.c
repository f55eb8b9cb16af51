#include "smtp_chunk.h"

#include <string.h>

#include "base/text.h"

/* chunk-size = 1*DIGIT. Returns the octets that it takes, 0 when there is none or it is too large
 * to be counted. */
static size_t read_size(const char *data, size_t len, uint64_t *size)
{
	size_t n;

	*size = 0;
	for (n = 0; n < len && data[n] >= '0' && data[n] <= '9'; n++) {
		unsigned digit = (unsigned)(data[n] - '0');

		if (*size > (UINT64_MAX - digit) / 10)
			return 0;
		*size = *size * 10 + digit;
	}
	return n;
}

bool smtp_chunk_begin(struct smtp_chunk *chunk, struct octets argument)
{
	uint64_t size;
	size_t n = argument.len ? read_size(argument.data, argument.len, &size) : 0;
	bool last = n < argument.len;

	if (!n || (last && argument.data[n] != ' '))
		return false;
	while (n < argument.len && argument.data[n] == ' ')
		n++;
	if (last && !text_is(argument.data + n, argument.len - n, "LAST"))
		return false;
	chunk->left = size;
	chunk->last = last;
	return true;
}

static void scan_newlines(struct smtp_chunk *chunk, const char *data, size_t len)
{
	size_t at = 0;

	if (chunk->cr && data[0] != '\n')
		chunk->bare_newline = true;
	else if (chunk->cr)
		at = 1;
	chunk->cr = false;
	while (at < len) {
		const char *cr = memchr(data + at, '\r', len - at);
		size_t n = cr ? (size_t)(cr - data) : len;

		if (memchr(data + at, '\n', n - at))
			chunk->bare_newline = true;
		if (!cr)
			return;
		at = n + 1;
		if (at == len)
			chunk->cr = true;
		else if (data[at] == '\n')
			at++;
		else
			chunk->bare_newline = true;
	}
}

enum smtp_chunk_result smtp_chunk_read(struct smtp_chunk *chunk, const char *data, size_t len,
				       struct octets *body)
{
	*body = (struct octets){0};
	if (!chunk->left) {
		if (chunk->last && chunk->cr)
			chunk->bare_newline = true;
		return SMTP_CHUNK_END;
	}
	if (!len)
		return SMTP_CHUNK_MORE;
	*body = (struct octets){data, len < chunk->left ? len : (size_t)chunk->left};
	chunk->left -= body->len;
	scan_newlines(chunk, data, body->len);
	return SMTP_CHUNK_BODY;
}
