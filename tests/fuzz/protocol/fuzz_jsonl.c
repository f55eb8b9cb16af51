/* However a stream is cut, the same lines come out of it; none is longer than the limit or blank.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/jsonl.h"

#define LINE_MAX_HERE 40

struct lines {
	char *data;
	size_t len;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct jsonl *j, struct lines *to)
{
	char *line;
	size_t len, blank;

	while (jsonl_next(j, &line, &len)) {
		assert(len <= LINE_MAX_HERE && line[len] == '\0' && !memchr(line, '\n', len));
		blank = 0;
		while (blank < len &&
		       (line[blank] == ' ' || line[blank] == '\t' || line[blank] == '\r'))
			blank++;
		assert(blank < len);
		memcpy(to->data + to->len, line, len);
		to->len += len;
		to->data[to->len++] = '\n';
	}
}

/* Feeds in pieces of 1 to `step` octets; returns whether the stream can still be followed. */
static bool run(const uint8_t *data, size_t size, size_t step, struct lines *to)
{
	struct jsonl j;
	size_t piece;
	bool whole = true;

	jsonl_init(&j, LINE_MAX_HERE);
	for (size_t i = 0; i < size && whole; i += piece) {
		char *copy;

		piece = 1 + (i * 7 + data[i]) % step;
		piece = piece < size - i ? piece : size - i;
		copy = malloc(piece); /* of just this size: reading beyond it is seen */
		memcpy(copy, data + i, piece);
		whole = jsonl_feed(&j, copy, piece);
		free(copy);
		take(&j, to);
	}
	assert(whole != j.too_long);
	jsonl_fini(&j);
	return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = {1, 3, 17, SIZE_MAX};
	struct lines first = {malloc(size + 1), 0}, other = {malloc(size + 1), 0};
	bool whole = run(data, size, steps[0], &first);

	for (size_t i = 1; i < sizeof steps / sizeof steps[0]; i++) {
		other.len = 0;
		assert(run(data, size, steps[i], &other) == whole);
		assert(other.len == first.len && !memcmp(other.data, first.data, first.len));
	}
	free(first.data);
	free(other.data);
	return 0;
}
