/* Whatever a gateway sends, and however it is cut: the items are the same, an event never comes
 * after a hole that nobody told, and what a gap says adds up. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <gatepost/events.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
	uint64_t items, gaps, last;
};

static void take(struct gatepost_events *events, struct sum *sum)
{
	const struct gatepost_item *item;
	const char *value;
	size_t len;

	while ((item = gatepost_events_next(events))) {
		assert(item->epoch);
		sum->items++;
		if (item->is_gap) {
			assert(item->why);
			assert(item->lost == (item->to ? item->to - item->from + 1 : 0));
			assert(!gatepost_events_data(events));
			sum->gaps++;
			continue;
		}
		assert(item->seq && item->name && item->time && gatepost_events_data(events));
		value = gatepost_events_octets(events, "address", &len);
		assert(!value || !value[len]);
		sum->last = item->seq;
	}
}

static struct sum play(const char *data, size_t size, size_t split)
{
	const struct gatepost_events_options options = {.epoch = "E1", .seq = 2};
	struct gatepost_error error;
	struct gatepost_events *events = gatepost_events_new(&options, &error);
	struct sum sum = {0};
	const char *epoch;
	uint64_t seq;

	assert(events);
	gatepost_events_feed(events, data, split);
	take(events, &sum);
	gatepost_events_feed(events, data + split, size - split);
	take(events, &sum);
	assert(gatepost_events_position(events, &epoch, &seq));
	gatepost_events_feed_end(events);
	gatepost_events_open(events);
	assert(!gatepost_events_next(events));
	gatepost_events_free(&events);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum whole = play((const char *)data, size, size),
		   parts = play((const char *)data, size, size / 3);

	assert(whole.items == parts.items && whole.gaps == parts.gaps && whole.last == parts.last);
	return 0;
}
