/* event: a fact that has happened, as a kind and a flat list of named values.
 *
 * Everything is borrowed until the event is encoded. */
#ifndef PROTOCOL_EVENT_H
#define PROTOCOL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hook.h"

enum event_kind {
#define EVENT(name, word, meaning) EVENT_##name,
#include "events.def"
#undef EVENT
	EVENT_MAX
};

enum event_type { EVENT_INTEGER, EVENT_REAL, EVENT_BOOLEAN, EVENT_TEXT, EVENT_OCTETS };

struct event_field {
	const char *name;
	enum event_type type;
	union {
		int64_t integer;
		double real;
		bool boolean;
		const char *text;     /* ours: ASCII or valid UTF-8 */
		struct octets octets; /* a peer's: anything */
	} value;
};

#define EVENT_FIELDS_MAX 16

struct event {
	enum event_kind kind;
	const char *session;	 /* NULL when it belongs to none */
	const char *transaction; /* NULL when it belongs to none */
	struct event_field fields[EVENT_FIELDS_MAX];
	size_t fields_len;
};

void event_init(struct event *e, enum event_kind kind, const char *session,
		const char *transaction);
void event_add_integer(struct event *e, const char *name, int64_t value);
void event_add_real(struct event *e, const char *name, double value);
void event_add_boolean(struct event *e, const char *name, bool value);
/* NULL and "" add nothing. */
void event_add_text(struct event *e, const char *name, const char *value);
/* Absent octets add nothing. */
void event_add_octets(struct event *e, const char *name, struct octets value);
/* "policy.decision" */
const char *event_word(enum event_kind kind);
/* Adds to *mask (a bit for each kind, 1u << EVENT_x) what a subscription's pattern names: an event,
 * "prefix.*" or "*". False when it names nothing. */
bool event_match(const char *pattern, uint32_t *mask);

#endif
