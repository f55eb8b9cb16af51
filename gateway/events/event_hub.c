#include "event_hub.h"

#include <assert.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "event_stream.h"
#include "net/line_link.h"
#include "net/listener.h"
#include "net/reaper.h"
#include "protocol/event_json.h"
#include "ring.h"
#include "subscriber.h"

/* Nothing is ever sent to a worker. */
#define WORKER_OUT_MAX 4096
#define REFUSAL_MAX    4096

#define HEARTBEAT 5.0

/* At the end: turns of the loop for what the workers have sent. Without it, a worker that does not
 * end would keep the hub from ending. A turn without news can be one that read the middle of a long
 * line. */
#define LAST_TURNS_MAX	     10000
#define LAST_QUIET_TURNS_MAX 16

struct event_hub {
	struct ev_loop *loop;
	struct handshake_gateway gateway;
	char *name, *epoch, *software; /* of gateway */
	struct ring *ring;
	uint64_t news; /* connections and lines of workers */
	uint64_t lost; /* by workers */
	struct listener *worker_listener, *subscriber_listener;
	struct list workers;
	struct subscriber **subscribers; /* subscribers_len of subscribers_max */
	unsigned subscribers_len, subscribers_max;
	uid_t *uids; /* uids_len of them; none: everybody may subscribe */
	size_t uids_len;
	ev_timer heartbeat;
	ev_prepare turn_end; /* never started, only fed: after all reading of the turn, and before
				the links write */
	uint64_t unseen, unseen_max; /* octets in the ring that no subscriber was told of */
	struct subscriber_source source;
	struct json_out scratch;
};

struct worker {
	struct list link;
	struct event_hub *hub;
	struct line_link *lines;
};

/* From the last one: one that closes is replaced by one that had its turn. */
static void advance_subscribers(struct event_hub *hub)
{
	hub->unseen = 0;
	for (unsigned i = hub->subscribers_len; i-- > 0;)
		subscriber_advance(hub->subscribers[i]);
}

static void on_turn_end(struct ev_loop *loop, ev_prepare *turn_end, int events)
{
	(void)loop;
	(void)events;
	advance_subscribers(turn_end->data);
}

/* Subscribers are served once a turn of the loop; before, when so much has come that one who keeps
 * up could be overtaken within the turn. */
static void on_news(struct event_hub *hub, size_t len)
{
	hub->unseen += len;
	if (hub->unseen > hub->unseen_max)
		advance_subscribers(hub);
	else
		ev_feed_event(hub->loop, &hub->turn_end, EV_CUSTOM);
}

static void on_heartbeat(struct ev_loop *loop, ev_timer *timer, int events)
{
	const struct event_hub *hub = timer->data;
	char now[32];

	(void)loop;
	(void)events;
	text_time(now, sizeof now);
	for (unsigned i = 0; i < hub->subscribers_len; i++)
		subscriber_heartbeat(hub->subscribers[i], now);
}

static void free_worker(struct worker *worker)
{
	list_remove(&worker->link);
	line_link_free(&worker->lines);
	reaper_add(worker->hub->loop, worker, free);
}

static void on_worker_line(struct worker *worker)
{
	struct event_stream_record record;
	struct event_hub *hub = worker->hub;
	size_t len;
	const char *line = line_link_line(worker->lines, &len);

	hub->news++;
	if (!event_stream_read(line, len, &record)) {
		log_error(
			"a worker has sent an event that cannot be read; its connection is closed");
		free_worker(worker);
		return;
	}
	hub->lost += record.lost;
	if (record.lost)
		ring_lose(hub->ring, record.lost);
	else
		ring_push(hub->ring, record.kind, record.body, record.len);
	on_news(hub, record.len);
}

static void on_worker_event(void *arg, enum line_link_event event)
{
	if (event == LINE_LINK_LINE)
		on_worker_line(arg);
	else if (event == LINE_LINK_DOWN)
		free_worker(arg);
}

static void on_worker(void *arg, int fd, const struct address *peer, const struct address *local)
{
	struct event_hub *hub = arg;
	struct worker *worker = mem_new(sizeof *worker);

	(void)peer;
	(void)local;
	hub->news++;
	worker->hub = hub;
	list_append(&hub->workers, &worker->link);
	worker->lines = line_link_new(hub->loop, fd, WORKER_OUT_MAX, on_worker_event, worker);
}

static void on_subscriber_closed(void *arg, struct subscriber *s)
{
	struct event_hub *hub = arg;

	for (unsigned i = 0; i < hub->subscribers_len; i++) {
		if (hub->subscribers[i] != s)
			continue;
		hub->subscribers[i] = hub->subscribers[--hub->subscribers_len];
		break;
	}
	subscriber_free(&s);
}

static void on_refused(void *arg, enum line_link_event event)
{
	(void)arg;
	(void)event;
}

/* No subscriber object for it: refusing must cost less than being refused. */
static void refuse(struct event_hub *hub, int fd, uid_t uid, const char *code, const char *message)
{
	struct json_out *out = &hub->scratch;
	struct line_link *link = line_link_new(hub->loop, fd, REFUSAL_MAX, on_refused, NULL);

	log_warning("a subscriber (uid %d) was refused: %s", (int)uid, message);
	json_out_clear(out);
	handshake_error(out, true, 0, code, message);
	/* A new socket has room for it; the peer that still misses it sees the end. */
	line_link_send(link, out->data, out->len);
	line_link_flush(link);
	line_link_free(&link);
}

static bool is_allowed(const struct event_hub *hub, uid_t uid)
{
	for (size_t i = 0; i < hub->uids_len; i++)
		if (hub->uids[i] == uid)
			return true;
	return !hub->uids_len;
}

static void on_subscriber(void *arg, int fd, const struct address *peer,
			  const struct address *local)
{
	struct event_hub *hub = arg;
	uid_t uid = line_link_descriptor_uid(fd);

	(void)peer;
	(void)local;
	if (!is_allowed(hub, uid)) {
		refuse(hub, fd, uid, "not_allowed", "this account is not named in events.uids");
		return;
	}
	if (hub->subscribers_len == hub->subscribers_max) {
		refuse(hub, fd, uid, "too_many",
		       "there are as many subscribers as events.subscribers allows");
		return;
	}
	hub->subscribers[hub->subscribers_len++] =
		subscriber_new(&hub->source, fd, on_subscriber_closed, hub);
}

static void copy_gateway(struct event_hub *hub, const struct handshake_gateway *gateway)
{
	hub->name = mem_copy_string(gateway->name);
	hub->epoch = mem_copy_string(gateway->epoch);
	hub->software = mem_copy_string(gateway->software);
	hub->gateway = (struct handshake_gateway){.name = hub->name,
						  .worker = gateway->worker,
						  .epoch = hub->epoch,
						  .software = hub->software};
}

struct event_hub *event_hub_new(struct ev_loop *loop, int worker_listener, int subscriber_listener,
				uint64_t ring_size, unsigned subscribers_max,
				const struct handshake_gateway *gateway)
{
	struct event_hub *hub = mem_new(sizeof *hub);

	hub->loop = loop;
	copy_gateway(hub, gateway);
	hub->ring = ring_new(ring_size);
	list_init(&hub->workers);
	hub->subscribers = mem_new(subscribers_max * sizeof(struct subscriber *));
	hub->subscribers_max = subscribers_max;
	hub->source = (struct subscriber_source){.loop = loop,
						 .ring = hub->ring,
						 .gateway = &hub->gateway,
						 .scratch = &hub->scratch};
	ev_timer_init(&hub->heartbeat, on_heartbeat, HEARTBEAT, HEARTBEAT);
	hub->heartbeat.data = hub;
	ev_timer_start(loop, &hub->heartbeat);
	ev_prepare_init(&hub->turn_end, on_turn_end);
	ev_set_priority(&hub->turn_end, EV_MINPRI + 1);
	hub->turn_end.data = hub;
	hub->unseen_max = ring_size / 4;
	hub->worker_listener = listener_new(loop, worker_listener, on_worker, hub);
	hub->subscriber_listener = listener_new(loop, subscriber_listener, on_subscriber, hub);
	return hub;
}

void event_hub_allow(struct event_hub *hub, uid_t uid)
{
	hub->uids = mem_resize(hub->uids, (hub->uids_len + 1) * sizeof *hub->uids);
	hub->uids[hub->uids_len++] = uid;
}

void event_hub_publish(struct event_hub *hub, const struct event *event)
{
	char now[32];

	text_time(now, sizeof now);
	json_out_clear(&hub->scratch);
	event_json_body(&hub->scratch, event, now);
	assert(hub->scratch.len <= EVENT_STREAM_BODY_MAX);
	ring_push(hub->ring, event->kind, hub->scratch.data, hub->scratch.len);
	on_news(hub, hub->scratch.len);
}

void event_hub_tell(const struct event_hub *hub, struct event_hub_status *status)
{
	*status = (struct event_hub_status){.head = ring_head(hub->ring),
					    .oldest = ring_oldest(hub->ring),
					    .lost = hub->lost,
					    .subscribers = hub->subscribers_len,
					    .subscribers_max = hub->subscribers_max};
	for (unsigned i = 0; i < hub->subscribers_len && i < EVENT_HUB_TOLD_MAX; i++)
		subscriber_tell(hub->subscribers[i], &status->told[status->told_len++]);
}

/* Also accepts a worker that came and went while the hub was busy, and writes to subscribers as
 * ever. */
static void run_last_turns(struct event_hub *hub)
{
	int quiet = 0;

	for (int turns = 0; turns < LAST_TURNS_MAX && quiet < LAST_QUIET_TURNS_MAX; turns++) {
		uint64_t news = hub->news;

		ev_run(hub->loop, EVRUN_NOWAIT);
		quiet = hub->news == news ? quiet + 1 : 0;
	}
}

void event_hub_free(struct event_hub **hub)
{
	struct event_hub *old = *hub;

	if (!old)
		return;
	listener_free(&old->subscriber_listener);
	run_last_turns(old);
	ev_timer_stop(old->loop, &old->heartbeat);
	ev_prepare_stop(old->loop, &old->turn_end); /* takes back what was fed */
	listener_free(&old->worker_listener);
	list_each(at, after, &old->workers) free_worker(list_of(at, struct worker, link));
	for (unsigned i = 0; i < old->subscribers_len; i++)
		subscriber_free(&old->subscribers[i]);
	free(old->subscribers);
	ring_free(&old->ring);
	json_out_fini(&old->scratch);
	free(old->uids);
	free(old->name);
	free(old->epoch);
	free(old->software);
	free(old);
	*hub = NULL;
}
