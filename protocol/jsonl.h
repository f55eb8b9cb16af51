/* jsonl: cuts a stream of octets into lines.
 *
 *      feed:  ...}\n{"type":...   next:  {"type":...} without its LF, never an empty or white-space
 * line
 *
 * Lines end in LF; the stream may be cut anywhere. */
#ifndef PROTOCOL_JSONL_H
#define PROTOCOL_JSONL_H

#include <stdbool.h>
#include <stddef.h>

#define JSONL_LINE_MAX 1048576 /* octets without the LF; announced in hello */

struct jsonl {
	char *data;
	size_t start, len, size, searched, max;
	bool too_long; /* stays set: the stream cannot be followed any more */
};

void jsonl_init(struct jsonl *j, size_t max);
void jsonl_fini(struct jsonl *j);
/* Copies the octets; false once a line is longer than max. Lines before it can still be taken. Call
 * jsonl_next until it returns false before feeding more. */
bool jsonl_feed(struct jsonl *j, const char *data, size_t len);
/* The next whole line, NUL-terminated in place (octets may include NULs of their own), valid until
 * the next call; false when there is none. When nothing is left, at most 64 KiB are kept. */
bool jsonl_next(struct jsonl *j, char **line, size_t *len);

#endif
