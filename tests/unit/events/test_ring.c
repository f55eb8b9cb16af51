/* The ring against a plain model: every reader, however slow, gets each seq exactly once, as its
 * event, as lost, or as overwritten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "events/ring.h"

#define BODY_MAX 700

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % n;
}

/* A body that can only be that of `seq`. */
static void make_body(uint64_t seq, char *body, size_t len)
{
	for (size_t i = 0; i < len; i++)
		body[i] = (char)(seq * 31 + i * 7);
}

static void push(struct ring *r, size_t len)
{
	char body[BODY_MAX];
	uint64_t seq = ring_head(r) + 1;

	make_body(seq, body, len);
	ring_push(r, (unsigned)(seq % 20), body, len);
	assert_int_equal(ring_head(r), seq);
}

static void check_event(const struct ring_item *item)
{
	char body[BODY_MAX];

	assert_int_equal(item->from, item->to);
	assert_int_equal(item->kind, item->to % 20);
	make_body(item->to, body, item->len);
	assert_memory_equal(item->body, body, item->len);
}

static void test_empty(void **state)
{
	struct ring *r = ring_new(4096);
	struct ring_cursor cursor;
	struct ring_item item;

	(void)state;
	assert_int_equal(ring_head(r), 0);
	assert_int_equal(ring_oldest(r), 1);
	assert_int_equal(ring_seek(r, 1, &cursor), 0);
	assert_int_equal(cursor.seq, 1);
	ring_peek(r, &cursor, &item);
	assert_int_equal(item.type, RING_NOTHING);
	push(r, 10);
	ring_peek(r, &cursor, &item);
	assert_int_equal(item.type, RING_EVENT);
	check_event(&item);
	ring_advance(&cursor, &item);
	ring_peek(r, &cursor, &item);
	assert_int_equal(item.type, RING_NOTHING);
	ring_free(&r);
	assert_null(r);
	ring_free(&r);
}

static void test_loss_is_one_record(void **state)
{
	struct ring *r = ring_new(4096);
	struct ring_cursor cursor;
	struct ring_item item;

	(void)state;
	push(r, 5);
	ring_lose(r, 1000000);
	push(r, 5);
	assert_int_equal(ring_head(r), 1000002);
	assert_int_equal(ring_oldest(r), 1);
	assert_int_equal(ring_seek(r, 2, &cursor), 1);
	ring_peek(r, &cursor, &item);
	assert_int_equal(item.type, RING_LOST);
	assert_int_equal(item.from, 2);
	assert_int_equal(item.to, 1000001);
	/* from inside the loss only the rest of it is missing */
	assert_int_equal(ring_seek(r, 500000, &cursor), 1);
	ring_peek(r, &cursor, &item);
	assert_int_equal(item.type, RING_LOST);
	assert_int_equal(item.from, 500000);
	assert_int_equal(item.to, 1000001);
	ring_advance(&cursor, &item);
	ring_peek(r, &cursor, &item);
	assert_int_equal(item.type, RING_EVENT);
	assert_int_equal(item.to, 1000002);
	ring_free(&r);
}

static void test_overtaken(void **state)
{
	struct ring *r = ring_new(4096);
	struct ring_cursor cursor, late;
	struct ring_item item;
	uint64_t oldest;

	(void)state;
	push(r, 100);
	ring_seek(r, 1, &cursor);
	for (int i = 0; i < 500; i++)
		push(r, 100);
	oldest = ring_oldest(r);
	assert_true(oldest > 400 && oldest < 501);
	ring_peek(r, &cursor, &item);
	assert_int_equal(item.type, RING_OVERWRITTEN);
	assert_int_equal(item.from, 1);
	assert_int_equal(item.to, oldest - 1);
	ring_advance(&cursor, &item);
	ring_peek(r, &cursor, &item);
	assert_int_equal(item.type, RING_EVENT);
	assert_int_equal(item.to, oldest);
	assert_int_equal(ring_seek(r, 1, &late), 501 - oldest + 1);
	assert_int_equal(late.seq, oldest);
	ring_free(&r);
}

static void test_larger_than_the_ring(void **state)
{
	static char body[8192];
	struct ring *r = ring_new(4096);
	struct ring_cursor cursor;
	struct ring_item item;

	(void)state;
	ring_push(r, 0, body, sizeof body);
	assert_int_equal(ring_head(r), 1);
	ring_seek(r, 1, &cursor);
	ring_peek(r, &cursor, &item);
	assert_int_equal(item.type, RING_LOST);
	ring_push(r, 0, body, 4096 - 16); /* the largest that fits takes all of it */
	assert_int_equal(ring_oldest(r), 2);
	assert_int_equal(ring_seek(r, 1, &cursor), 1);
	ring_peek(r, &cursor, &item);
	assert_int_equal(item.type, RING_EVENT);
	assert_int_equal(item.len, 4096 - 16);
	ring_free(&r);
}

/* --- random --- */

#define READERS_MAX 6

struct reader {
	struct ring_cursor cursor;
	uint64_t next; /* seq */
	uint64_t events, lost, overwritten;
};

struct model {
	struct ring *ring;
	uint64_t size;
	bool *lost;	  /* by seq */
	uint32_t *octets; /* of each record, by its last seq; 0: none */
	struct reader readers[READERS_MAX];
};

static void check_item(const struct model *m, const struct reader *reader,
		       const struct ring_item *item)
{
	assert_int_equal(item->from, reader->next);
	assert_true(item->to >= item->from && item->to <= ring_head(m->ring));
	if (item->type == RING_OVERWRITTEN) {
		assert_int_equal(item->to, ring_oldest(m->ring) - 1);
		return;
	}
	assert_true(item->from >= ring_oldest(m->ring));
	for (uint64_t seq = item->from; seq <= item->to; seq++)
		assert_int_equal(m->lost[seq], item->type == RING_LOST);
	if (item->type == RING_EVENT)
		check_event(item);
}

static void read_some(struct model *m, struct reader *reader, uint32_t n)
{
	struct ring_item item;

	while (n--) {
		ring_peek(m->ring, &reader->cursor, &item);
		if (item.type == RING_NOTHING) {
			assert_int_equal(reader->next, ring_head(m->ring) + 1);
			return;
		}
		check_item(m, reader, &item);
		if (item.type == RING_EVENT)
			reader->events++;
		else if (item.type == RING_LOST)
			reader->lost += item.to - item.from + 1;
		else
			reader->overwritten += item.to - item.from + 1;
		reader->next = item.to + 1;
		ring_advance(&reader->cursor, &item);
	}
}

static void write_one(struct model *m)
{
	uint32_t n = 1 + random_below(9), len = random_below(BODY_MAX);

	if (random_below(20) == 0) {
		for (uint64_t seq = ring_head(m->ring) + 1; seq <= ring_head(m->ring) + n; seq++)
			m->lost[seq] = true;
		ring_lose(m->ring, n);
		m->octets[ring_head(m->ring)] = 16;
	} else {
		push(m->ring, len);
		m->octets[ring_head(m->ring)] = 16 + (len + 15) / 16 * 16;
	}
}

/* The ring keeps as much as fits: not more, and at most one record and the unused end less. */
static void check_retention(const struct model *m)
{
	uint64_t octets = 0;

	for (uint64_t seq = ring_oldest(m->ring); seq <= ring_head(m->ring); seq++)
		octets += m->octets[seq];
	assert_true(octets <= m->size);
	if (ring_oldest(m->ring) > 1)
		assert_true(octets + 3 * (BODY_MAX + 32) > m->size);
}

/* A place that is sought is the one that a reader of all that is held comes to, with as many events
 * before it. */
static void check_seek(const struct model *m, uint64_t seq)
{
	uint64_t oldest = ring_oldest(m->ring);
	struct ring_cursor cursor, walk;
	struct ring_item item = {0}, walked;
	uint64_t all, before = 0, events;

	all = ring_seek(m->ring, oldest, &walk);
	for (ring_peek(m->ring, &walk, &walked); walked.type != RING_NOTHING && walked.to < seq;
	     ring_peek(m->ring, &walk, &walked)) {
		before += walked.type == RING_EVENT;
		ring_advance(&walk, &walked);
	}
	events = ring_seek(m->ring, seq, &cursor);
	assert_int_equal(events, all - before);
	ring_peek(m->ring, &cursor, &item);
	assert_int_equal(item.type, walked.type);
	assert_int_equal(item.to, walked.to);
	assert_int_equal(item.from, seq > ring_head(m->ring) ? ring_head(m->ring) + 1
				    : seq > oldest	     ? seq
							     : oldest);
}

static void run_random(uint64_t size, uint32_t seed, size_t writes)
{
	struct model m = {.size = size};

	random_state = seed;
	m.ring = ring_new(size);
	m.lost = calloc(writes * 10, sizeof *m.lost);
	m.octets = calloc(writes * 10, sizeof *m.octets);
	for (int i = 0; i < READERS_MAX; i++) {
		ring_seek(m.ring, 1, &m.readers[i].cursor);
		m.readers[i].next = 1;
	}
	for (size_t n = 0; n < writes; n++) {
		write_one(&m);
		/* from one that keeps up to one that never reads before the end */
		for (uint32_t i = 0; i < READERS_MAX - 1; i++)
			if (random_below(1u << (2 * i)) == 0)
				read_some(&m, &m.readers[i], 1 + random_below(4u << i));
		if (n % 97 == 0) {
			check_retention(&m);
			check_seek(&m, random_below((uint32_t)ring_head(m.ring) + 3));
		}
	}
	for (uint64_t seq = ring_oldest(m.ring) - 1; seq < ring_head(m.ring) + 3; seq++)
		check_seek(&m, seq);
	for (int i = 0; i < READERS_MAX; i++) {
		struct reader *reader = &m.readers[i];

		read_some(&m, reader, UINT32_MAX);
		assert_int_equal(reader->events + reader->lost + reader->overwritten,
				 ring_head(m.ring));
	}
	assert_int_equal(m.readers[0].overwritten, 0);
	assert_true(m.readers[READERS_MAX - 1].overwritten > 0);
	free(m.lost);
	free(m.octets);
	ring_free(&m.ring);
}

static void test_random(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 20; seed++)
		run_random(4096 + 16 * (seed * 37 % 1000), seed, 3000);
	run_random(4096, 99, 30000);
	run_random(100000, 7, 30000);
	run_random(500000, 8, 10000);
}

static void test_million(void **state)
{
	struct ring *r = ring_new(1 << 20);
	struct reader keeping_up = {.next = 1}, stuck = {.next = 1};
	struct model m = {.ring = r};

	(void)state;
	m.lost = calloc(1000001, sizeof *m.lost);
	ring_seek(r, 1, &keeping_up.cursor);
	ring_seek(r, 1, &stuck.cursor);
	for (int i = 0; i < 1000000; i++) {
		push(r, 40 + (size_t)i % 50);
		read_some(&m, &keeping_up, 2);
	}
	read_some(&m, &stuck, UINT32_MAX);
	assert_int_equal(keeping_up.events, 1000000);
	assert_int_equal(stuck.events + stuck.overwritten, 1000000);
	assert_true(stuck.events > 8000 && stuck.events < 20000);
	free(m.lost);
	ring_free(&r);
}

static long resident_pages(void)
{
	long size, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%ld %ld", &size, &resident), 2);
	fclose(file);
	return resident;
}

static void test_memory_is_taken_lazily(void **state)
{
	long before = resident_pages(), page = sysconf(_SC_PAGESIZE);
	struct ring *r = ring_new(1 << 30);

	(void)state;
	push(r, 500);
	assert_true((resident_pages() - before) * page < 1 << 20);
	ring_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_loss_is_one_record),
		cmocka_unit_test(test_overtaken),
		cmocka_unit_test(test_larger_than_the_ring),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_million),
		cmocka_unit_test(test_memory_is_taken_lazily),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
