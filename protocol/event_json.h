/* event_json: events as JSON lines.
 *
 * The worker writes all of an event but its place in the stream; the hub adds that. So each event
 * is encoded once, whatever the number of subscribers:
 *
 *      {"type":"event","seq":7,"prev":5,   <- hub          body from event_json_body ->   }\n  <-
 * hub */
#ifndef PROTOCOL_EVENT_JSON_H
#define PROTOCOL_EVENT_JSON_H

#include "event.h"
#include "json_out.h"

/* Appends "time":"...","event":"...","session":...,"transaction":...,"data":{...} ; no braces
 * around it, no LF. `time` is RFC 3339 UTC with microseconds. */
void event_json_body(struct json_out *out, const struct event *event, const char *time);
/* Appends a whole event line around such a body. */
void event_json_line(struct json_out *out, uint64_t seq, uint64_t prev, const char *body,
		     size_t len);
/* Appends {"type":"gap",...,"why":"lag"} with its LF; from 0: bounds and count are not known. */
void event_json_gap(struct json_out *out, uint64_t from, uint64_t to, const char *why);
/* Appends a heartbeat with its LF; see PROTOCOL.md for what the numbers are. */
void event_json_heartbeat(struct json_out *out, const char *time, uint64_t seq, uint64_t head,
			  uint64_t lost_total);

/* What `gatepost events` shows of a line from the hub. */
struct event_line {
	enum { EVENT_LINE_EVENT, EVENT_LINE_GAP, EVENT_LINE_ERROR, EVENT_LINE_OTHER } type;
	char *time, *event, *session, *transaction; /* event; NULL when absent; owned */
	char *code, *message;			    /* error; owned */
	char *data; /* event: "name=value name=value", escaped for a terminal; gap: the counts;
		       owned */
};

/* False when the line is no JSON object of the protocol. Free with event_line_fini(). */
bool event_json_read(const char *line, size_t len, struct event_line *read);
void event_line_fini(struct event_line *read);

#endif
