#include "subscriber.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "event_stream.h"
#include "net/line_link.h"
#include "net/reaper.h"
#include "protocol/event_json.h"

#define HANDSHAKE_TIMEOUT 5.0

/* What a subscriber that does not read can make us hold. */
#define OUT_MAX 262144
/* Of a line, all but the event's body: a gap, or what is around the body. */
#define LINE_MAX_AROUND 256
_Static_assert(EVENT_STREAM_BODY_MAX + LINE_MAX_AROUND <= OUT_MAX, "an event fits into the buffer");

/* Records looked at in a loop turn. Without it, a subscriber that wants few kinds of events would
 * have the hub walk the whole ring while the others wait. */
#define TURN_MAX 4096

struct subscriber {
	const struct subscriber_source *source;
	struct line_link *link;
	ev_timer deadline; /* of the handshake */
	ev_timer turn;	   /* goes on in the next turn of the loop */
	void (*on_closed)(void *arg, struct subscriber *s);
	void *arg;
	char name[65];
	bool live;
	bool waiting; /* for the link or for its turn; else it has everything */
	bool close_on_lag;
	bool ending;	 /* the last line is on its way */
	uint32_t wanted; /* 1u << EVENT_x */
	struct ring_cursor cursor;
	uint64_t prev; /* the last seq that was sent, or the end of the last gap */
	uint64_t sent, lost;
	uint64_t sent_before; /* the last heartbeat */
};

static bool send_scratch(struct subscriber *s)
{
	const struct json_out *out = s->source->scratch;

	return line_link_send(s->link, out->data, out->len);
}

/* Adds an item of the ring as a line to what is written in this turn; false when the link has no
 * room for it. */
static bool add_item(struct subscriber *s, const struct ring_item *item, size_t room)
{
	struct json_out *out = s->source->scratch;

	if (out->len + LINE_MAX_AROUND + item->len > room)
		return false;
	if (item->type == RING_EVENT) {
		event_json_line(out, item->to, s->prev, item->body, item->len);
		s->sent++;
	} else {
		event_json_gap(out, item->from, item->to,
			       item->type == RING_LOST ? "gateway" : "lag");
		s->lost += item->to - item->from + 1;
	}
	s->prev = item->to;
	return true;
}

/* Gaps are told whatever the filter: what was lost can have been wanted. */
static bool is_wanted(const struct subscriber *s, const struct ring_item *item)
{
	return item->type != RING_EVENT || s->wanted & 1u << item->kind;
}

/* Ended by LINE_LINK_WRITABLE. */
static void wait_for_link(struct subscriber *s)
{
	s->waiting = true;
	line_link_want_empty(s->link);
}

static void wait_for_turn(struct subscriber *s)
{
	s->waiting = true;
	if (ev_is_active(&s->turn))
		return;
	ev_timer_set(&s->turn, 0., 0.);
	ev_timer_start(s->source->loop, &s->turn);
}

/* A gap that the subscriber does not want: it gets the reason, all that is written before it first,
 * and then the end. */
static void end_lagging(struct subscriber *s, const struct ring_item *item)
{
	struct json_out *out = s->source->scratch;
	char message[96];

	snprintf(message, sizeof message,
		 "the events %" PRIu64 " to %" PRIu64 " are not held any more", item->from,
		 item->to);
	json_out_clear(out);
	handshake_error(out, true, 0, "lag", message);
	s->ending = send_scratch(s);
	wait_for_link(s);
}

void subscriber_advance(struct subscriber *s)
{
	enum { MORE, ALL, FULL, LAGS } end = MORE;
	struct json_out *out = s->source->scratch;
	struct ring_item item;
	size_t room;

	if (!s->live || s->waiting)
		return;
	json_out_clear(out);
	room = line_link_room(s->link);
	for (int n = 0; n < TURN_MAX && end == MORE; n++) {
		ring_peek(s->source->ring, &s->cursor, &item);
		if (item.type == RING_NOTHING)
			end = ALL;
		else if (item.type == RING_OVERWRITTEN && s->close_on_lag)
			end = LAGS;
		else if (is_wanted(s, &item) && !add_item(s, &item, room))
			end = FULL;
		else
			ring_advance(&s->cursor, &item);
	}
	if (out->len)
		send_scratch(s);
	if (end == MORE)
		wait_for_turn(s);
	else if (end == FULL)
		wait_for_link(s);
	else if (end == LAGS)
		end_lagging(s, &item);
}

static void resume(struct subscriber *s)
{
	ev_timer_stop(s->source->loop, &s->turn);
	s->waiting = false;
	subscriber_advance(s);
}

static void on_turn(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	resume(timer->data);
}

void subscriber_heartbeat(struct subscriber *s, const char *time)
{
	if (!s->live || s->ending)
		return;
	if (s->sent == s->sent_before) /* what the last busy time needed is not needed now */
		line_link_release(s->link);
	s->sent_before = s->sent;
	json_out_clear(s->source->scratch);
	event_json_heartbeat(s->source->scratch, time, s->cursor.seq - 1,
			     ring_head(s->source->ring), s->lost);
	send_scratch(s); /* without room for it, the next one will do */
}

/* Where the subscriber begins. Returns the reason of the gap before that, NULL when there is none;
 * *replaying is how many events of the ring it is offered. */
static const char *find_start(struct subscriber *s, const struct handshake_subscribe *subscribe,
			      uint64_t *replaying)
{
	const struct ring *ring = s->source->ring;
	bool same_epoch = strcmp(subscribe->epoch, s->source->gateway->epoch) == 0;
	uint64_t after = subscribe->seq;

	if (subscribe->from == HANDSHAKE_OLDEST ||
	    (subscribe->from == HANDSHAKE_AFTER && !same_epoch))
		after = 0;
	else if (subscribe->from == HANDSHAKE_NOW)
		after = ring_head(ring);
	/* A seq of this epoch that is yet to come was not learned here. There is nothing to replay
	 * and nothing that could be called lost: ring_seek() makes "now" of it, and `subscribed`
	 * shows where that is. */
	*replaying = ring_seek(ring, after + 1, &s->cursor);
	if (subscribe->from != HANDSHAKE_AFTER)
		return NULL;
	if (!same_epoch)
		return "epoch";
	return s->cursor.seq > after + 1 ? "expired" : NULL;
}

static void send_start_gap(struct subscriber *s, const char *why, uint64_t from)
{
	struct json_out *out = s->source->scratch;

	json_out_clear(out);
	if (strcmp(why, "epoch") == 0) {
		event_json_gap(out, 0, 0, why);
	} else {
		event_json_gap(out, from, s->prev, why);
		s->lost += s->prev - from + 1;
	}
	send_scratch(s);
}

static void start(struct subscriber *s, const struct handshake_subscribe *subscribe)
{
	const struct handshake_gateway *gateway = s->source->gateway;
	uint64_t replaying;
	const char *why = find_start(s, subscribe, &replaying);

	ev_timer_stop(s->source->loop, &s->deadline);
	memcpy(s->name, subscribe->name, sizeof s->name);
	s->wanted = subscribe->events;
	s->close_on_lag = subscribe->close_on_lag;
	s->prev = s->cursor.seq - 1;
	s->live = true;
	json_out_clear(s->source->scratch);
	handshake_subscribed(s->source->scratch, gateway->epoch, s->cursor.seq, replaying);
	send_scratch(s);
	if (why)
		send_start_gap(s, why, subscribe->seq + 1);
	log_info("subscriber \"%s\" (uid %d) reads from %llu", s->name,
		 (int)line_link_peer_uid(s->link), (unsigned long long)s->cursor.seq);
	subscriber_advance(s);
}

static void refuse(struct subscriber *s, const char *code, const char *message)
{
	log_warning("subscriber \"%s\" (uid %d) refused: %s: %s", s->name,
		    (int)line_link_peer_uid(s->link), code, message);
	json_out_clear(s->source->scratch);
	handshake_error(s->source->scratch, true, 0, code, message);
	send_scratch(s);
	line_link_flush(s->link);
	s->on_closed(s->arg, s);
}

static void on_line(struct subscriber *s)
{
	struct handshake_subscribe subscribe;
	struct handshake_error error;
	size_t len;
	const char *line = line_link_line(s->link, &len);

	/* Reading on would let a subscriber keep the hub busy with lines that mean nothing. */
	if (s->live)
		refuse(s, "bad_message", "nothing may follow \"subscribe\"");
	else if (!handshake_read_subscribe(line, len, &subscribe, &error))
		refuse(s, error.code, error.message);
	else
		start(s, &subscribe);
}

static void on_down(struct subscriber *s)
{
	if (line_link_is_too_long(s->link)) {
		refuse(s, "line_too_long", line_link_failure(s->link));
		return;
	}
	if (s->live)
		log_info("subscriber \"%s\" left: %s; sent %llu, lost %llu", s->name,
			 line_link_failure(s->link), (unsigned long long)s->sent,
			 (unsigned long long)s->lost);
	s->on_closed(s->arg, s);
}

static void on_writable(struct subscriber *s)
{
	if (s->ending) {
		log_info("subscriber \"%s\" is closed: it lags", s->name);
		s->on_closed(s->arg, s);
		return;
	}
	/* Not at once: a fast reader would have the whole ring in this turn. */
	wait_for_turn(s);
}

static void on_link_event(void *arg, enum line_link_event event)
{
	struct subscriber *s = arg;

	switch (event) {
	case LINE_LINK_UP:
		break;
	case LINE_LINK_LINE:
		on_line(s);
		break;
	case LINE_LINK_WRITABLE:
		on_writable(s);
		break;
	case LINE_LINK_DOWN:
		on_down(s);
		break;
	}
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct subscriber *s = timer->data;

	(void)loop;
	(void)events;
	log_info("a subscriber (uid %d) did not subscribe in time",
		 (int)line_link_peer_uid(s->link));
	s->on_closed(s->arg, s);
}

struct subscriber *subscriber_new(const struct subscriber_source *source, int fd,
				  void (*on_closed)(void *arg, struct subscriber *s), void *arg)
{
	struct subscriber *s = mem_new(sizeof *s);

	s->source = source;
	s->on_closed = on_closed;
	s->arg = arg;
	s->link = line_link_new(source->loop, fd, OUT_MAX, on_link_event, s);
	ev_timer_init(&s->deadline, on_deadline, HANDSHAKE_TIMEOUT, 0.);
	s->deadline.data = s;
	ev_timer_start(source->loop, &s->deadline);
	ev_timer_init(&s->turn, on_turn, 0., 0.);
	s->turn.data = s;
	json_out_clear(source->scratch);
	handshake_events_hello(source->scratch, source->gateway, ring_head(source->ring),
			       ring_oldest(source->ring));
	send_scratch(s);
	return s;
}

void subscriber_tell(const struct subscriber *s, struct subscriber_status *status)
{
	*status = (struct subscriber_status){.uid = line_link_peer_uid(s->link), .live = s->live};
	if (!s->live)
		return;
	memcpy(status->name, s->name, sizeof status->name);
	status->lag = ring_head(s->source->ring) + 1 - s->cursor.seq;
	status->sent = s->sent;
	status->lost = s->lost;
}

void subscriber_free(struct subscriber **s)
{
	struct subscriber *old = *s;

	if (!old)
		return;
	ev_timer_stop(old->source->loop, &old->deadline);
	ev_timer_stop(old->source->loop, &old->turn);
	line_link_free(&old->link);
	reaper_add(old->source->loop, old, free);
	*s = NULL;
}
