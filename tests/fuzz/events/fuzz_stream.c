/* Whatever a worker sends: each line is an event, a loss or refused; and what the ring gives to a
 * reader that is quick, one that is slow and one that comes late joins without a hole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "events/event_stream.h"
#include "events/ring.h"
#include "protocol/event.h"
#include "protocol/jsonl.h"

#define RING_SIZE    4096
#define LONGEST_LINE 6000 /* more than the ring holds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
	struct ring_cursor cursor;
	uint64_t first, received, lost;
};

static void check(bool good)
{
	if (!good)
		abort();
}

static void begin(struct reader *r, const struct ring *ring, uint64_t seq)
{
	ring_seek(ring, seq, &r->cursor);
	r->first = r->cursor.seq;
}

/* At most `n` items. */
static void take(struct reader *r, const struct ring *ring, unsigned n)
{
	struct ring_item item;

	for (ring_peek(ring, &r->cursor, &item); n && item.type != RING_NOTHING;
	     ring_peek(ring, &r->cursor, &item), n--) {
		check(item.from == r->cursor.seq && item.to >= item.from &&
		      item.to <= ring_head(ring));
		if (item.type == RING_EVENT) {
			check(item.to == item.from && item.len && item.kind < EVENT_MAX);
			check(item.body[item.len - 1] == (char)item.len);
			r->received++;
		} else {
			r->lost += item.to - item.from + 1;
		}
		ring_advance(&r->cursor, &item);
	}
}

static void check_all(struct reader *r, const struct ring *ring)
{
	take(r, ring, UINT32_MAX);
	check(r->first + r->received + r->lost == ring_head(ring) + 1);
}

/* The last octet of what is pushed tells its length. */
static void push(struct ring *ring, const struct event_stream_record *record)
{
	char *body;

	if (record->lost) {
		check(record->lost < UINT64_C(1000000000000000));
		ring_lose(ring, record->lost);
		return;
	}
	body = malloc(record->len);
	memcpy(body, record->body, record->len);
	body[record->len - 1] = (char)record->len;
	ring_push(ring, record->kind, body, record->len);
	free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ring *ring = ring_new(RING_SIZE);
	struct reader quick = {0}, slow = {0}, late = {0};
	struct event_stream_record record;
	struct jsonl lines;
	char *line;
	size_t len, n = 0;

	jsonl_init(&lines, LONGEST_LINE);
	begin(&quick, ring, 1);
	begin(&slow, ring, 1);
	jsonl_feed(&lines, (const char *)data, size);
	while (jsonl_next(&lines, &line, &len)) {
		if (!event_stream_read(line, len, &record))
			continue;
		push(ring, &record);
		take(&quick, ring, UINT32_MAX);
		take(&slow, ring, ++n % 3 == 0);
		if (n == 5)
			begin(&late, ring, ring_head(ring) - ring_head(ring) / 3);
	}
	check_all(&quick, ring);
	check_all(&slow, ring);
	if (n >= 5)
		check_all(&late, ring);
	jsonl_fini(&lines);
	ring_free(&ring);
	return 0;
}
