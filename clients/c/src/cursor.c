#include "cursor.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/grow.h"

static char *copy(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(grow_resize(NULL, size), text, size);
}

static void move(struct gatepost_position *position, const char *epoch, uint64_t seq)
{
	char *old = position->epoch;

	if (!old || strcmp(old, epoch) != 0) {
		position->epoch = copy(epoch);
		free(old);
	}
	position->seq = seq;
}

void gatepost_cursor_init(struct gatepost_cursor *cursor, const char *epoch, uint64_t seq)
{
	*cursor = (struct gatepost_cursor){0};
	cursor->last = &cursor->first;
	if (epoch) {
		move(&cursor->position, epoch, seq);
		move(&cursor->ahead, epoch, seq);
	}
}

void gatepost_cursor_item_free(struct gatepost_cursor_item **item)
{
	struct gatepost_cursor_item *i = *item;

	*item = NULL;
	if (!i)
		return;
	json_decref(i->message);
	free(i->epoch);
	free(i);
}

static void drop_queue(struct gatepost_cursor *cursor)
{
	struct gatepost_cursor_item *item, *next;

	for (item = cursor->first; item; item = next) {
		next = item->next;
		gatepost_cursor_item_free(&item);
	}
	cursor->first = NULL;
	cursor->last = &cursor->first;
}

void gatepost_cursor_fini(struct gatepost_cursor *cursor)
{
	drop_queue(cursor);
	free(cursor->position.epoch);
	free(cursor->ahead.epoch);
	free(cursor->epoch);
	*cursor = (struct gatepost_cursor){0};
}

void gatepost_cursor_open(struct gatepost_cursor *cursor)
{
	drop_queue(cursor);
	if (cursor->position.epoch)
		move(&cursor->ahead, cursor->position.epoch, cursor->position.seq);
	free(cursor->epoch);
	cursor->epoch = NULL;
	cursor->live = cursor->has_hole = false;
	cursor->expected = 0;
}

static uint64_t integer(const json_t *message, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(message, name));
}

static const char *text(const json_t *message, const char *name)
{
	return json_string_value(json_object_get(message, name));
}

void gatepost_cursor_subscribed(struct gatepost_cursor *cursor, const json_t *message)
{
	const char *epoch = text(message, "epoch");
	uint64_t from = integer(message, "from");

	cursor->live = true;
	cursor->epoch = copy(epoch);
	cursor->expected = from - 1;
	if (!cursor->position.epoch ||
	    (!strcmp(cursor->position.epoch, epoch) && from <= cursor->position.seq + 1)) {
		move(&cursor->position, epoch, from - 1);
		move(&cursor->ahead, epoch, from - 1);
		return;
	}
	/* To be announced by a gap. Until then the position stays before the hole. */
	cursor->has_hole = true;
	cursor->hole_from = cursor->hole_to = 0;
	if (!strcmp(cursor->position.epoch, epoch)) {
		cursor->hole_from = cursor->position.seq + 1;
		cursor->hole_to = from - 1;
	}
}

static struct gatepost_cursor_item *add(struct gatepost_cursor *cursor, json_t *message)
{
	struct gatepost_cursor_item *added = grow_resize(NULL, sizeof *added);

	*added = (struct gatepost_cursor_item){.epoch = copy(cursor->epoch)};
	added->item.epoch = added->epoch;
	if (message)
		added->message = json_incref(message);
	added->item.message = added->message;
	*cursor->last = added;
	cursor->last = &added->next;
	return added;
}

static void set_moves(struct gatepost_cursor *cursor, struct gatepost_cursor_item *item,
		      uint64_t to)
{
	item->moves = true;
	item->to = to;
	move(&cursor->ahead, cursor->epoch, to);
}

static struct gatepost_cursor_item *add_gap(struct gatepost_cursor *cursor, const char *why,
					    uint64_t from, uint64_t to, json_t *message)
{
	struct gatepost_cursor_item *added = add(cursor, message);

	added->item.is_gap = true;
	added->item.why = message ? text(added->message, "why") : why;
	added->item.from = from;
	added->item.to = to;
	added->item.lost = to ? to - from + 1 : 0;
	if (to)
		set_moves(cursor, added, to);
	return added;
}

void gatepost_cursor_event(struct gatepost_cursor *cursor, json_t *message)
{
	uint64_t seq = integer(message, "seq"), prev = integer(message, "prev");
	struct gatepost_cursor_item *added;

	if (cursor->has_hole)
		add_gap(cursor, "unexplained", cursor->hole_from, cursor->hole_to, NULL);
	cursor->has_hole = false;
	if (prev > cursor->expected)
		add_gap(cursor, "unexplained", cursor->expected + 1, prev, NULL);
	else if (prev < cursor->expected)
		add_gap(cursor, "unexplained", 0, 0, NULL);
	cursor->expected = seq;
	added = add(cursor, message);
	added->item.seq = seq;
	added->item.name = text(added->message, "event");
	added->item.time = text(added->message, "time");
	added->item.session = text(added->message, "session");
	added->item.transaction = text(added->message, "transaction");
	set_moves(cursor, added, seq);
}

void gatepost_cursor_gap(struct gatepost_cursor *cursor, json_t *message)
{
	uint64_t from = integer(message, "from"), to = integer(message, "to");
	bool covers = cursor->hole_to ? to && from <= cursor->hole_from && to >= cursor->hole_to
				      : !strcmp(text(message, "why"), "epoch");
	struct gatepost_cursor_item *added;

	if (cursor->has_hole && covers)
		cursor->has_hole = false;
	added = add_gap(cursor, NULL, from, to, message);
	if (to)
		cursor->expected = to;
	else if (!cursor->has_hole && cursor->ahead.epoch &&
		 strcmp(cursor->ahead.epoch, cursor->epoch) != 0)
		/* The old epoch is over: we go on within the new one. */
		set_moves(cursor, added, cursor->expected);
}

void gatepost_cursor_heartbeat(struct gatepost_cursor *cursor, const json_t *message)
{
	uint64_t seq = integer(message, "seq");
	struct gatepost_cursor_item *item;

	if (cursor->has_hole)
		add_gap(cursor, "unexplained", cursor->hole_from, cursor->hole_to, NULL);
	cursor->has_hole = false;
	if (cursor->ahead.epoch && !strcmp(cursor->ahead.epoch, cursor->epoch) &&
	    cursor->ahead.seq >= seq)
		return;
	item = cursor->first;
	if (!item) {
		move(&cursor->position, cursor->epoch, seq);
		move(&cursor->ahead, cursor->epoch, seq);
		return;
	}
	while (item->next)
		item = item->next;
	set_moves(cursor, item, seq);
}

struct gatepost_cursor_item *gatepost_cursor_take(struct gatepost_cursor *cursor)
{
	struct gatepost_cursor_item *item = cursor->first;

	if (!item)
		return NULL;
	cursor->first = item->next;
	if (!cursor->first)
		cursor->last = &cursor->first;
	item->next = NULL;
	if (item->moves)
		move(&cursor->position, item->epoch, item->to);
	return item;
}
