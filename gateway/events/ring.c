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

/* A record that can be found without a walk from the tail. There is one at least every so many
 * octets: many subscribers that come back at once must not keep the hub from the workers. */
#define MARK_EVERY 65536

struct mark {
	uint64_t at;	 /* of the record */
	uint64_t seq;	 /* the last one before it */
	uint64_t events; /* before it, since the ring began */
};

struct ring {
	char *data;
	uint64_t size;
	uint64_t tail, head; /* octets since the ring began; modulo size they are offsets */
	uint64_t seq;	     /* latest */
	uint64_t oldest;     /* first seq of the record at tail */
	uint64_t events;     /* records with a body, since the ring began */
	uint64_t displaced;  /* of these, the ones that are not held any more */
	struct mark *marks;  /* a queue of marks_len of marks_max, from marks_first on */
	size_t marks_first, marks_len, marks_max;
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
	r->marks_max = r->size / MARK_EVERY + 1;
	r->marks = mem_new(r->marks_max * sizeof *r->marks);
	return r;
}

void ring_free(struct ring **r)
{
	if (!*r)
		return;
	munmap((*r)->data, (*r)->size);
	free((*r)->marks);
	free(*r);
	*r = NULL;
}

static struct mark *mark_at(const struct ring *r, size_t place)
{
	return &r->marks[(r->marks_first + place) % r->marks_max];
}

/* The next record is marked, when the last mark is far enough away. */
static void mark_next(struct ring *r)
{
	if (r->marks_len && r->head - mark_at(r, r->marks_len - 1)->at < MARK_EVERY)
		return;
	assert(r->marks_len < r->marks_max);
	*mark_at(r, r->marks_len++) =
		(struct mark){.at = r->head, .seq = r->seq, .events = r->events};
}

/* The last mark that has all from `seq` on behind it; NULL when there is none. */
static const struct mark *find_mark(const struct ring *r, uint64_t seq)
{
	size_t low = 0, high = r->marks_len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mark_at(r, middle)->seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? mark_at(r, low - 1) : NULL;
}

static void drop_oldest(struct ring *r)
{
	const struct record *record = record_at(r, r->tail);

	if (record->kind != RECORD_FILLER)
		r->oldest = record->seq + 1;
	if (is_event(record))
		r->displaced++;
	if (r->marks_len && mark_at(r, 0)->at == r->tail) {
		r->marks_first = (r->marks_first + 1) % r->marks_max;
		r->marks_len--;
	}
	r->tail += record_size(record->len);
}

static void make_room(struct ring *r, uint64_t size)
{
	while (r->head + size - r->tail > r->size)
		drop_oldest(r);
}

/* A record at the head, where there is room; returns it to be given its body. */
static struct record *put(struct ring *r, uint32_t kind, size_t len)
{
	struct record *record = record_at(r, r->head);

	*record = (struct record){.seq = r->seq, .len = (uint32_t)len, .kind = kind};
	r->head += record_size(len);
	return record;
}

/* Bodies are in one piece: what does not fit before the physical end begins at the start. */
static void fill_to_end(struct ring *r, uint64_t size)
{
	uint64_t left = r->size - r->head % r->size;

	if (left >= size)
		return;
	make_room(r, left);
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
	make_room(r, size);
	mark_next(r);
	r->seq++;
	memcpy(put(r, kind, len) + 1, body, len);
	r->events++;
}

void ring_lose(struct ring *r, uint64_t n)
{
	assert(n);
	make_room(r, record_size(0));
	mark_next(r);
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
	uint64_t events = r->events - r->displaced, at = r->tail;
	const struct mark *mark;

	if (seq < r->oldest)
		seq = r->oldest;
	if (seq > r->seq) {
		*cursor = (struct ring_cursor){.seq = r->seq + 1, .at = r->head};
		return 0;
	}
	mark = find_mark(r, seq);
	if (mark) {
		events = r->events - mark->events;
		at = mark->at;
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
