#include "control.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "events/event_hub.h"
#include "monitor.h"
#include "net/line_link.h"
#include "net/listener.h"
#include "net/reaper.h"
#include "protocol/control_json.h"
#include "protocol/jsonl.h"
#include "status_json.h"

/* Without it clients that were forgotten would keep others out. */
#define IDLE_MAX 60.0
/* One answer; and an error after one that was not taken. */
#define ERROR_ROOM  1024
#define OUT_MAX	    (JSONL_LINE_MAX + 1 + ERROR_ROOM)
#define REASONS_MAX 65536

struct control {
	struct ev_loop *loop;
	struct listener *listener;
	struct monitor *monitor;
	const struct handshake_gateway *gateway;
	struct list clients;
	unsigned clients_len;
	struct json_out line;
};

struct client {
	struct list link;
	struct control *control;
	struct line_link *lines;
	ev_timer idle;
};

static void close_client(struct client *client)
{
	struct control *control = client->control;

	list_remove(&client->link);
	control->clients_len--;
	ev_timer_stop(control->loop, &client->idle);
	line_link_free(&client->lines);
	reaper_add(control->loop, client, free);
}

static void refuse(struct client *client, const char *code, const char *message)
{
	struct json_out *line = &client->control->line;

	log_warning("a control client (uid %d) was refused: %s: %s",
		    (int)line_link_peer_uid(client->lines), code, message);
	json_out_clear(line);
	handshake_error(line, true, 0, code, message);
	line_link_send(client->lines, line->data, line->len);
	line_link_flush(client->lines);
	close_client(client);
}

/* The status as it is now, in control->line. */
static void write_status(struct control *control)
{
	struct event_hub_status events;
	struct buf reasons;
	char now[32];
	struct status_facts facts = {.gateway = control->gateway,
				     .counters = control->monitor->counters,
				     .events = &events,
				     .time = now,
				     .seconds = (uint64_t)ev_time(),
				     .clock_ms = clock_us() / 1000};

	text_time(now, sizeof now);
	event_hub_tell(control->monitor->events, &events);
	buf_init(&reasons, REASONS_MAX);
	facts.ready = monitor_is_ready(control->monitor, &reasons);
	facts.reasons = (struct octets){buf_head(&reasons), reasons.len};
	json_out_clear(&control->line);
	status_json(&control->line, &facts);
	buf_fini(&reasons);
}

static void on_line(struct client *client)
{
	struct control *control = client->control;
	struct handshake_error error;
	size_t len;
	const char *line = line_link_line(client->lines, &len);

	ev_timer_again(control->loop, &client->idle);
	if (!control_json_read(line, len, &error)) {
		refuse(client, error.code, error.message);
		return;
	}
	write_status(control);
	if (control->line.len > JSONL_LINE_MAX + 1)
		refuse(client, "too_large", "the status does not fit in a line");
	else if (line_link_room(client->lines) < control->line.len + ERROR_ROOM)
		refuse(client, "too_slow", "the answers before this one have not been read");
	else
		line_link_send(client->lines, control->line.data, control->line.len);
}

static void on_link_event(void *arg, enum line_link_event event)
{
	struct client *client = arg;

	if (event == LINE_LINK_LINE)
		on_line(client);
	else if (event == LINE_LINK_DOWN && line_link_is_too_long(client->lines))
		refuse(client, "line_too_long", line_link_failure(client->lines));
	else if (event == LINE_LINK_DOWN)
		close_client(client);
}

static void on_idle(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	refuse(timer->data, "idle", "nothing was asked for a minute");
}

static void on_client(void *arg, int fd, const struct address *peer, const struct address *local)
{
	struct control *control = arg;
	struct client *client = mem_new(sizeof *client);

	(void)peer, (void)local;
	client->control = control;
	list_append(&control->clients, &client->link);
	client->lines = line_link_new(control->loop, fd, OUT_MAX, on_link_event, client);
	ev_timer_init(&client->idle, on_idle, 0., IDLE_MAX);
	client->idle.data = client;
	ev_timer_again(control->loop, &client->idle);
	if (++control->clients_len > CONTROL_CLIENTS_MAX)
		refuse(client, "too_many", "there are as many control clients as allowed");
}

struct control *control_new(struct ev_loop *loop, int listener, struct monitor *monitor,
			    const struct handshake_gateway *gateway)
{
	struct control *control = mem_new(sizeof *control);

	control->loop = loop;
	control->monitor = monitor;
	control->gateway = gateway;
	list_init(&control->clients);
	control->listener = listener_new(loop, listener, on_client, control);
	return control;
}

void control_free(struct control **control)
{
	struct control *old = *control;

	if (!old)
		return;
	listener_free(&old->listener);
	list_each(at, after, &old->clients) close_client(list_of(at, struct client, link));
	json_out_fini(&old->line);
	free(old);
	*control = NULL;
}
