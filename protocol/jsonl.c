#include "jsonl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"

/* What is read at a time in practice. To grow it anew for each reading costs more than the lines.
 */
#define KEPT_MAX 65536

void jsonl_init(struct jsonl *j, size_t max)
{
	*j = (struct jsonl){.max = max};
}

void jsonl_fini(struct jsonl *j)
{
	free(j->data);
	*j = (struct jsonl){.max = j->max};
}

static void append(struct jsonl *j, const char *data, size_t len)
{
	if (j->start) {
		memmove(j->data, j->data + j->start, j->len - j->start);
		j->len -= j->start;
		j->start = 0;
	}
	if (j->size - j->len < len) {
		j->size = grow_capacity(j->size, j->len + len);
		j->data = grow_resize(j->data, j->size);
	}
	if (len)
		memcpy(j->data + j->len, data, len);
	j->searched = j->len;
	j->len += len;
}

bool jsonl_feed(struct jsonl *j, const char *data, size_t len)
{
	size_t line = 0, from;
	const char *end;

	if (j->too_long)
		return false;
	assert(j->searched == j->len); /* all whole lines have been taken */
	append(j, data, len);
	from = j->searched;
	do {
		end = j->len > from ? memchr(j->data + from, '\n', j->len - from) : NULL;
		if ((end ? (size_t)(end - j->data) : j->len) - line > j->max) {
			/* Without this a peer that never sends LF would own all memory. */
			j->too_long = true;
			j->len = line;
			if (j->searched > line)
				j->searched = line;
			return false;
		}
		if (end)
			line = from = (size_t)(end - j->data) + 1;
	} while (end);
	return true;
}

static bool is_blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return false;
	return true;
}

static void release(struct jsonl *j)
{
	j->start = j->len = j->searched = 0;
	if (j->size <= KEPT_MAX)
		return;
	free(j->data);
	j->data = NULL;
	j->size = 0;
}

bool jsonl_next(struct jsonl *j, char **line, size_t *len)
{
	char *end;

	while (j->len > j->searched &&
	       (end = memchr(j->data + j->searched, '\n', j->len - j->searched))) {
		*line = j->data + j->start;
		*len = (size_t)(end - *line);
		*end = '\0';
		j->start = j->searched = (size_t)(end - j->data) + 1;
		if (!is_blank(*line, *len))
			return true;
	}
	j->searched = j->len;
	if (j->start == j->len)
		release(j);
	return false;
}
