#include "ring.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/mem.h"

/* Records are multiples of the header's size, and so is the ring: before its physical end there is
 * always room for the header of a filler. */
struct record {
	uint64_t seq; /* the last one it stands for */
	uint32_t len; /* of the body */
	uint32_t kind;
};

#define RECORD_ALIGN  (sizeof(struct record))
#define RECORD_LOST   UINT32_MAX
#define RECORD_FILLER (UINT32_MAX - 1) /* up to the physical end; stands for nothing */

struct ring {
	char *data;
	uint64_t size;
	uint64_t tail, head; /* octets since the ring began; modulo size they are offsets */
	uint64_t seq;	     /* latest */
	uint64_t oldest;     /* first seq of the record at tail */
	uint64_t events;     /* records with a body */
};

static struct record *record_at(const struct ring *r, uint64_t at)
{
	return (struct record *)(void *)(r->data + at % r->size);
}

static uint64_t record_size(uint64_t len)
{
	return sizeof(struct record) + (len + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

static bool is_event(const struct record *record)
{
	return record->kind < RECORD_FILLER;
}

struct ring *ring_new(uint64_t size)
{
	struct ring *r = mem_new(sizeof *r);

	assert(size >= 4096);
	r->size = size / RECORD_ALIGN * RECORD_ALIGN;
	r->oldest = 1;
	r->data = mmap(NULL, r->size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r->data == MAP_FAILED) {
		log_error("cannot map %llu octets for the event ring: %s",
			  (unsigned long long)r->size, strerror(errno));
		abort();
	}
	return r;
}

void ring_free(struct ring **r)
{
	if (!*r)
		return;
	munmap((*r)->data, (*r)->size);
	free(*r);
	*r = NULL;
}

static void drop_oldest(struct ring *r)
{
	const struct record *record = record_at(r, r->tail);

	if (record->kind != RECORD_FILLER)
		r->oldest = record->seq + 1;
	if (is_event(record))
		r->events--;
	r->tail += record_size(record->len);
}

/* A record at the head, with whatever is in its way dropped; returns it to be given its body. */
static struct record *put(struct ring *r, uint32_t kind, size_t len)
{
	uint64_t size = record_size(len);
	struct record *record;

	while (r->head + size - r->tail > r->size)
		drop_oldest(r);
	record = record_at(r, r->head);
	*record = (struct record){.seq = r->seq, .len = (uint32_t)len, .kind = kind};
	r->head += size;
	return record;
}

/* Bodies are in one piece: what does not fit before the physical end begins at the start. */
static void fill_to_end(struct ring *r, uint64_t size)
{
	uint64_t left = r->size - r->head % r->size;

	if (left < size)
		put(r, RECORD_FILLER, left - sizeof(struct record));
}

void ring_push(struct ring *r, unsigned kind, const char *body, size_t len)
{
	uint64_t size = record_size(len);

	assert(kind < RECORD_FILLER);
	if (size > r->size) {
		ring_lose(r, 1);
		return;
	}
	fill_to_end(r, size);
	r->seq++;
	memcpy(put(r, kind, len) + 1, body, len);
	r->events++;
}

void ring_lose(struct ring *r, uint64_t n)
{
	assert(n);
	r->seq += n;
	put(r, RECORD_LOST, 0);
}

uint64_t ring_head(const struct ring *r)
{
	return r->seq;
}

uint64_t ring_oldest(const struct ring *r)
{
	return r->oldest;
}

uint64_t ring_seek(const struct ring *r, uint64_t seq, struct ring_cursor *cursor)
{
	uint64_t events = r->events, at = r->tail;

	if (seq < r->oldest)
		seq = r->oldest;
	if (seq > r->seq) {
		*cursor = (struct ring_cursor){.seq = r->seq + 1, .at = r->head};
		return 0;
	}
	for (;; at += record_size(record_at(r, at)->len)) {
		const struct record *record = record_at(r, at);

		if (record->kind == RECORD_FILLER)
			continue;
		if (record->seq >= seq)
			break;
		if (is_event(record))
			events--;
	}
	*cursor = (struct ring_cursor){.seq = seq, .at = at};
	return events;
}

void ring_peek(const struct ring *r, const struct ring_cursor *cursor, struct ring_item *item)
{
	uint64_t at = cursor->at > r->tail ? cursor->at : r->tail;
	const struct record *record;

	*item = (struct ring_item){.type = RING_NOTHING, .from = cursor->seq};
	if (cursor->seq < r->oldest) {
		item->type = RING_OVERWRITTEN;
		item->to = r->oldest - 1;
		item->next = r->tail;
		return;
	}
	while (at < r->head && record_at(r, at)->kind == RECORD_FILLER)
		at += record_size(record_at(r, at)->len);
	if (at >= r->head)
		return;
	record = record_at(r, at);
	item->type = is_event(record) ? RING_EVENT : RING_LOST;
	item->to = record->seq;
	item->kind = record->kind;
	item->body = (const char *)(record + 1);
	item->len = record->len;
	item->next = at + record_size(record->len);
}

void ring_advance(struct ring_cursor *cursor, const struct ring_item *item)
{
	assert(item->type != RING_NOTHING && item->to >= cursor->seq);
	*cursor = (struct ring_cursor){.seq = item->to + 1, .at = item->next};
}
