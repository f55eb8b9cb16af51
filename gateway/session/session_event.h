/* session_event: what an engine's reply means as events. Pure: no clock, no loop. */
#ifndef SESSION_EVENT_H
#define SESSION_EVENT_H

#include "protocol/event.h"
#include "smtp/smtp.h"

/* One reply gives at most this many events. */
#define SESSION_EVENTS_MAX 3

/* Fills `events` with what smtp_last_reply() says has happened, in order, and returns how many: a
 * violation, the command with its reply, the event of its own that the command has. `by` is the
 * service that decided, or NULL. The events borrow from the engine until its next step. */
size_t session_event_reply(const struct smtp *smtp, const char *session, const char *transaction,
			   const char *by, struct event events[SESSION_EVENTS_MAX]);

#endif
