#include "event_bus.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "event_stream.h"
#include "net/line_link.h"
#include "shared/counters.h"
#include "protocol/event_json.h"
#include "protocol/event_redact.h"

#define REDIAL_FIRST 0.1
#define REDIAL_MAX   1.0

/* What has been written is in one of two places: in `kept` while there is no connection, else with
 * the link. What the link held when it broke is gone with the hub: its successor begins a new
 * epoch, which tells subscribers of it. */
struct event_bus {
	struct ev_loop *loop;
	char *path;
	size_t max;
	struct line_link *link; /* NULL between two dials */
	bool up;
	ev_timer redial;
	double delay;
	struct buf kept;
	struct json_out line;
	unsigned redact; /* 1u << EVENT_REDACT_x */
	uint64_t lost_untold;
	struct counters_slot *slot;
};

static size_t room(const struct event_bus *bus)
{
	return bus->up ? line_link_room(bus->link) : buf_room(&bus->kept);
}

/* There must be room. */
static void put(struct event_bus *bus, const char *data, size_t len)
{
	if (bus->up)
		line_link_send(bus->link, data, len);
	else
		buf_append(&bus->kept, data, len);
}

/* Losses are told before the next event, so that the gap is where they happened. False when there
 * is no room for that and `len` octets more. */
static bool tell_lost(struct event_bus *bus, size_t len)
{
	char text[EVENT_STREAM_LOST_SIZE];
	size_t text_len = 0;

	if (bus->lost_untold)
		text_len =
			(size_t)snprintf(text, sizeof text, "lost %" PRIu64 "\n", bus->lost_untold);
	if (room(bus) < text_len + len)
		return false;
	if (text_len)
		put(bus, text, text_len);
	bus->lost_untold = 0;
	return true;
}

static void on_up(struct event_bus *bus)
{
	bus->up = true;
	bus->delay = REDIAL_FIRST;
	if (bus->kept.len)
		line_link_send(bus->link, buf_head(&bus->kept), bus->kept.len);
	buf_consume(&bus->kept, bus->kept.len);
	buf_release(&bus->kept);
	tell_lost(bus, 0);
}

static void on_down(struct event_bus *bus)
{
	if (bus->up)
		log_warning("the event hub is gone: %s", line_link_failure(bus->link));
	bus->up = false;
	line_link_free(&bus->link);
	ev_timer_set(&bus->redial, bus->delay, 0.);
	ev_timer_start(bus->loop, &bus->redial);
	bus->delay = bus->delay * 2 > REDIAL_MAX ? REDIAL_MAX : bus->delay * 2;
}

static void on_link_event(void *arg, enum line_link_event event)
{
	switch (event) {
	case LINE_LINK_UP:
		on_up(arg);
		break;
	case LINE_LINK_LINE: /* a hub says nothing */
		break;
	case LINE_LINK_WRITABLE:
		tell_lost(arg, 0);
		break;
	case LINE_LINK_DOWN:
		on_down(arg);
		break;
	}
}

static void dial(struct event_bus *bus)
{
	bus->link = line_link_dial(bus->loop, bus->path, bus->max, on_link_event, bus);
}

static void on_redial(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	dial(timer->data);
}

struct event_bus *event_bus_new(struct ev_loop *loop, const char *hub_socket, size_t max,
				struct counters_slot *slot)
{
	struct event_bus *bus = mem_new(sizeof *bus);

	bus->loop = loop;
	bus->path = mem_copy_string(hub_socket);
	bus->max = max;
	bus->slot = slot;
	bus->delay = REDIAL_FIRST;
	buf_init(&bus->kept, max);
	ev_timer_init(&bus->redial, on_redial, 0., 0.);
	bus->redial.data = bus;
	dial(bus);
	return bus;
}

void event_bus_redact(struct event_bus *bus, unsigned mask)
{
	bus->redact = mask;
}

static void lose(struct event_bus *bus)
{
	bus->lost_untold++;
	counter_add(&bus->slot->events_lost, 1);
}

void event_bus_publish(struct event_bus *bus, const struct event *event)
{
	struct event_redacted redacted;
	char now[32];
	size_t start;

	counter_add(&bus->slot->events, 1);
	json_out_clear(&bus->line);
	json_out_integer(&bus->line, event->kind);
	json_out_raw(&bus->line, " ");
	start = bus->line.len;
	text_time(now, sizeof now);
	event_json_body(&bus->line, event_redact(event, bus->redact, &redacted), now);
	if (bus->line.len - start > EVENT_STREAM_BODY_MAX || !tell_lost(bus, bus->line.len + 1)) {
		lose(bus);
		return;
	}
	json_out_raw(&bus->line, "\n");
	put(bus, bus->line.data, bus->line.len);
}

bool event_bus_is_empty(const struct event_bus *bus)
{
	return !bus->lost_untold && !bus->kept.len && (!bus->up || !line_link_pending(bus->link));
}

void event_bus_free(struct event_bus **bus)
{
	struct event_bus *old = *bus;

	if (!old)
		return;
	if (old->up) {
		line_link_flush(old->link);
		tell_lost(old, 0);
		line_link_flush(old->link);
	}
	ev_timer_stop(old->loop, &old->redial);
	line_link_free(&old->link);
	buf_fini(&old->kept);
	json_out_fini(&old->line);
	free(old->path);
	free(old);
	*bus = NULL;
}
