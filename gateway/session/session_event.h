/* session_event: what an engine's reply means as events. Pure: no clock, no loop. */
#ifndef SESSION_EVENT_H
#define SESSION_EVENT_H

#include "protocol/event.h"
#include "smtp/smtp.h"

/* One reply gives at most this many events. */
#define SESSION_EVENTS_MAX 3

/* What services have said, and the engine does not know. */
struct session_said {
	const char *by;	      /* the service that decided, or NULL */
	const char *delivery; /* the name of the listener's */
	const char *labels;   /* words with a space between them, or NULL */
	bool quarantine;      /* the message is held */
};

/* Fills `events` with what smtp_last_reply() says has happened, in order, and returns how many: a
 * violation, the command with its reply, the event of its own that the command has. The events
 * borrow from the engine until its next step. */
size_t session_event_reply(const struct smtp *smtp, const char *session, const char *transaction,
			   const struct session_said *said,
			   struct event events[SESSION_EVENTS_MAX]);

#endif
