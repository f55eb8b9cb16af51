/* event_bus: the worker's way to the hub.
 *
 *      event --encode once--> buffer (bounded) --Unix stream--> hub
 *
 * Publishing never waits: what does not fit, or happens while the hub is away, is counted as lost,
 * and the hub is told how many as soon as it can be, so that subscribers see an exact gap. The
 * stream's form is private to event_bus and event_hub: "<kind> <body>\n" and "lost <n>\n". */
#ifndef EVENTS_EVENT_BUS_H
#define EVENTS_EVENT_BUS_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/event.h"

struct counters_slot;
struct event_bus;

/* Dials the hub's socket and redials when it is lost (100 ms, doubling to 1 s). While the hub has
 * not answered yet, up to `max` octets are kept. `slot`, borrowed, counts all events, and those of
 * them that did not fit. */
struct event_bus *event_bus_new(struct ev_loop *loop, const char *hub_socket, size_t max,
				struct counters_slot *slot);
/* From now on, events are published without what the mask (1u << EVENT_REDACT_x) names. */
void event_bus_redact(struct event_bus *bus, unsigned mask);
void event_bus_publish(struct event_bus *bus, const struct event *event);
/* Nothing left to send. */
bool event_bus_is_empty(const struct event_bus *bus);
/* Writes what the kernel takes at once, then closes. */
void event_bus_free(struct event_bus **bus);

#endif
