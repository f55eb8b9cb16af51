#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "events/event_bus.h"
#include "net/reaper.h"
#include "policy/policy.h"
#include "protocol/event_json.h"
#include "shared/clients.h"
#include "shared/counters.h"

#define TEXT_MAX 65536
#define PATIENCE 20.0

/* Stands in for the bus of events/: the session publishes nowhere else. */
void event_bus_publish(struct event_bus *bus, const struct event *event)
{
	struct stage *s = (void *)bus;
	struct json_out line = {0};

	if (event->kind != EVENT_RCPT && event->kind != EVENT_DELIVERY &&
	    event->kind != EVENT_MESSAGE && event->kind != EVENT_DISCONNECT)
		return;
	event_json_body(&line, event, "now");
	buf_append(&s->events, line.data, line.len);
	buf_append_string(&s->events, "\n");
	json_out_fini(&line);
}

static void on_input(struct ev_loop *loop, ev_io *w, int revents)
{
	struct stage *s = w->data;
	char text[4096];
	ssize_t n = read(s->fd, text, sizeof text);

	(void)revents;
	if (n > 0) {
		buf_append(&s->said, text, (size_t)n);
		return;
	}
	s->closed = true;
	ev_io_stop(loop, w);
}

static void on_alarm(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)revents;
	((struct stage *)w->data)->loop = NULL; /* whoever waits sees it */
	ev_break(loop, EVBREAK_ONE);
}

static void on_empty(void *arg)
{
	((struct stage *)arg)->ended = true;
}

static const struct policy_callbacks nobody;
static const char *const domains[] = {"example.com"};

void stage_init(struct stage *s)
{
	*s = (struct stage){.loop = ev_loop_new(0), .fd = -1, .asks = true};
	s->offer = (struct delivery_offer){.eight_bit = true, .chunking = true};
	s->host = (struct session_host){
		.loop = s->loop,
		.events = (void *)s,
		.counters = counters_new(),
		.clients = clients_new(1, 16),
		.hostname = "mx.test",
		.connections_max = 10,
		.connections_per_client = 10,
		.command_timeout = 100,
		.data_timeout = 100,
		.session_time = 1000,
		.on_empty = on_empty,
		.arg = s,
	};
	s->host.policy = policy_new(s->loop, &(struct policy_settings){0}, &nobody);
	s->host.slot = counters_slot(s->host.counters, 0);
	list_init(&s->host.sessions);
	s->listener = (struct session_listener){
		.host = &s->host,
		.name = "mx",
		.received_client = true,
		.delivery = (void *)s,
		.smtp = {.hostname = "mx.test",
			 .message_size = 1000,
			 .recipients = 10,
			 .errors = 10,
			 .commands = 100,
			 .messages = 10,
			 .accept_domains = domains,
			 .accept_domains_len = 1},
	};
	buf_init(&s->said, TEXT_MAX);
	buf_init(&s->events, TEXT_MAX);
	buf_init(&s->trace, TEXT_MAX);
}

void stage_begin(struct stage *s)
{
	struct address client, server;
	int pair[2];

	assert_true(address_parse("192.0.2.1:1024", &client));
	assert_true(address_parse("192.0.2.25:25", &server));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	s->fd = pair[0];
	ev_io_init(&s->input, on_input, s->fd, EV_READ);
	s->input.data = s;
	ev_io_start(s->loop, &s->input);
	ev_timer_init(&s->alarm, on_alarm, PATIENCE, 0.);
	s->alarm.data = s;
	ev_timer_start(s->loop, &s->alarm);
	session_new(&s->listener, pair[1], &client, &server);
}

void stage_say(struct stage *s, const char *lines)
{
	assert_int_equal(write(s->fd, lines, strlen(lines)), (ssize_t)strlen(lines));
}

static bool has(struct buf *b, const char *text)
{
	return b->len && memmem(buf_head(b), b->len, text, strlen(text));
}

static void turn(struct stage *s, const char *what)
{
	ev_run(s->loop, EVRUN_ONCE);
	if (!s->loop)
		fail_msg("\"%s\" does not come; said:\n%.*s\ntrace:\n%.*s", what, (int)s->said.len,
			 s->said.len ? buf_head(&s->said) : "", (int)s->trace.len,
			 s->trace.len ? buf_head(&s->trace) : "");
}

void stage_until_said(struct stage *s, const char *text)
{
	while (!has(&s->said, text))
		turn(s, text);
}

void stage_until_trace(struct stage *s, const char *text)
{
	while (!has(&s->trace, text))
		turn(s, text);
}

void stage_until_ended(struct stage *s)
{
	while (!s->ended)
		turn(s, "the end");
}

void stage_close(struct stage *s)
{
	ev_io_stop(s->loop, &s->input);
	close(s->fd);
	s->fd = -1;
}

void stage_fini(struct stage *s)
{
	session_close_all(&s->host);
	if (s->fd >= 0)
		stage_close(s);
	ev_timer_stop(s->loop, &s->alarm);
	reaper_run(s->loop);
	assert_null(s->transaction);
	policy_free(&s->host.policy);
	ev_run(s->loop, 0); /* until the socket has lingered */
	ev_loop_destroy(s->loop);
	buf_fini(&s->said);
	buf_fini(&s->events);
	buf_fini(&s->trace);
}
