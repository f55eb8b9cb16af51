#include "buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define BUF_FIRST_SIZE 512

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max = b->max};
}

char *buf_head(const struct buf *b)
{
	return b->data ? b->data + b->start : NULL;
}

size_t buf_room(const struct buf *b)
{
	return b->max - b->len;
}

static void make_room(struct buf *b, size_t want)
{
	size_t size = b->size ? b->size : BUF_FIRST_SIZE;

	if (b->size - b->start - b->len >= want)
		return;
	if (b->start) {
		memmove(b->data, b->data + b->start, b->len);
		b->start = 0;
	}
	while (size < b->len + want)
		size *= 2;
	if (size > b->max)
		size = b->max;
	if (size > b->size) {
		b->data = mem_resize(b->data, size);
		b->size = size;
	}
}

char *buf_space(struct buf *b, size_t want, size_t *room)
{
	if (want > buf_room(b))
		want = buf_room(b);
	if (want)
		make_room(b, want);
	*room = b->size - b->start - b->len;
	return b->data ? b->data + b->start + b->len : NULL;
}

void buf_added(struct buf *b, size_t n)
{
	assert(b->start + b->len + n <= b->size);
	b->len += n;
}

bool buf_append(struct buf *b, const void *data, size_t n)
{
	size_t room;
	char *space;

	if (n > buf_room(b)) {
		b->overflow = true;
		return false;
	}
	if (!n)
		return true;
	space = buf_space(b, n, &room);
	memcpy(space, data, n);
	b->len += n;
	return true;
}

bool buf_append_string(struct buf *b, const char *text)
{
	return buf_append(b, text, strlen(text));
}

bool buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int n;
	bool ok;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		abort();
	ok = buf_append(b, text, (size_t)n);
	free(text);
	return ok;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->start += n;
	b->len -= n;
	if (!b->len)
		b->start = 0;
}

void buf_release(struct buf *b)
{
	if (b->len || !b->data)
		return;
	free(b->data);
	b->data = NULL;
	b->size = 0;
}
