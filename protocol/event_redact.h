/* event_redact: takes out of an event what tells of persons. What becomes of which field is the
 * table in PROTOCOL.md, "Redaction". */
#ifndef PROTOCOL_EVENT_REDACT_H
#define PROTOCOL_EVENT_REDACT_H

#include "event.h"

enum event_redact {
	EVENT_REDACT_CLIENT, /* who the client is */
	EVENT_REDACT_MAIL,   /* whose mail it is */
	EVENT_REDACT_MAX
};

/* Texts that stand for others; an event has at most one of each kind. */
struct event_redacted {
	struct event event;
	char network[48], mailbox[260], verb[16];
};

/* "client"; NULL from EVENT_REDACT_MAX on. */
const char *event_redact_word(unsigned what);
/* The event without what the mask (1u << EVENT_REDACT_x) names: `event` itself when the mask is 0,
 * else room->event, which borrows from both. */
const struct event *event_redact(const struct event *event, unsigned mask,
				 struct event_redacted *room);

#endif
