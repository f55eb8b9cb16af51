/* buf: a byte queue with a ceiling.
 *
 *      data                     data+size
 *      |....|=======bytes=======|.....room.....|        size <= max, always
 *           ^start              ^start+len
 *
 * Memory is taken with the first byte and can be given back when empty (buf_release), so an idle
 * connection holds none. Going over the ceiling sets `overflow`, which stays set: write freely,
 * check once. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t start;
	size_t len;
	size_t size;
	size_t max;
	bool overflow;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);

/* First unread byte; NULL when nothing was ever stored. Valid until the next call that adds or
 * consumes. */
char *buf_head(const struct buf *b);
/* How many bytes can still be added before the ceiling. */
size_t buf_room(const struct buf *b);
/* At least `want` writable bytes behind the content (fewer near the ceiling; 0 at it); the count
 * goes to *room. Follow with buf_added(). */
char *buf_space(struct buf *b, size_t want, size_t *room);
void buf_added(struct buf *b, size_t n);
/* False (and overflow) when it does not fit; nothing is added then. */
bool buf_append(struct buf *b, const void *data, size_t n);
bool buf_append_string(struct buf *b, const char *text);
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_consume(struct buf *b, size_t n);
/* Gives the memory back if the buffer is empty. */
void buf_release(struct buf *b);

#endif
