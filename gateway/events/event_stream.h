/* event_stream: the form of what workers send to the hub, private to this folder.
 *
 *      3 "time":"...","event":"rcpt",...    an event: its kind, a space, its body
 *      lost 17                              events that the worker had no room for
 */
#ifndef EVENTS_EVENT_STREAM_H
#define EVENTS_EVENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest body of an event. Far above what a session can produce (a few command lines, each
 * octet escaped), far below a line: whatever a worker publishes fits into a subscriber's writing
 * buffer. */
#define EVENT_STREAM_BODY_MAX 98304

/* "lost 1234567890\n" and its NUL; a worker that loses more than 15 digits' worth does not exist.
 */
#define EVENT_STREAM_LOST_SIZE 24

struct event_stream_record {
	uint64_t lost; /* 0: an event */
	unsigned kind; /* less than EVENT_MAX */
	const char *body;
	size_t len;
};

/* Reads a NUL-terminated line without its LF; the body points into it. False when it is neither. */
bool event_stream_read(const char *line, size_t len, struct event_stream_record *record);

#endif
