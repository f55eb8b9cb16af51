#include "harness.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "../listening.h"
#include "../loop_turn.h"
#include "net/reaper.h"

void stage_open(struct stage *stage)
{
	*stage = (struct stage){.loop = ev_loop_new(0), .dir = "/tmp/gatepost-events-XXXXXX"};
	assert_non_null(mkdtemp(stage->dir));
	snprintf(stage->hub_path, sizeof stage->hub_path, "%s/hub.sock", stage->dir);
	snprintf(stage->events_path, sizeof stage->events_path, "%s/events.sock", stage->dir);
}

void stage_start_hub(struct stage *stage, uint64_t ring_size, unsigned subscribers_max,
		     const char *epoch)
{
	const struct handshake_gateway gateway = {
		.name = "mx.test", .epoch = epoch, .software = "gatepost/test"};
	int worker_fd = listening_on_path(stage->hub_path);

	stage->hub = event_hub_new(stage->loop, worker_fd, listening_on_path(stage->events_path),
				   ring_size, subscribers_max, &gateway);
}

void stage_start_bus(struct stage *stage, size_t max)
{
	free(stage->slot);
	stage->slot = calloc(1, sizeof *stage->slot);
	stage->bus = event_bus_new(stage->loop, stage->hub_path, max, stage->slot);
}

void stage_close(struct stage *stage)
{
	event_bus_free(&stage->bus);
	free(stage->slot);
	event_hub_free(&stage->hub);
	reaper_run(stage->loop);
	ev_loop_destroy(stage->loop);
	unlink(stage->hub_path);
	unlink(stage->events_path);
	assert_int_equal(rmdir(stage->dir), 0);
}

int stage_set_up(void **state)
{
	struct stage *stage = calloc(1, sizeof *stage);

	stage_open(stage);
	*state = stage;
	return 0;
}

int stage_set_up_hub(void **state, uint64_t ring_size, unsigned subscribers_max)
{
	stage_set_up(state);
	stage_start_hub(*state, ring_size, subscribers_max, EPOCH);
	stage_start_bus(*state, 1 << 20);
	return 0;
}

int stage_tear_down(void **state)
{
	stage_close(*state);
	free(*state);
	return 0;
}

void stage_turn(struct stage *stage)
{
	loop_turn(stage->loop, 0.001);
}

uint64_t stage_lost(const struct stage *stage)
{
	return counter_get(&stage->slot->events_lost);
}

void stage_publish(struct stage *stage, enum event_kind kind, int64_t n, size_t padding)
{
	struct event event;
	char *text = malloc(padding + 1);

	memset(text, 'x', padding);
	text[padding] = '\0';
	event_init(&event, kind, "SESSION", NULL);
	event_add_integer(&event, "n", n);
	event_add_text(&event, "text", text);
	event_bus_publish(stage->bus, &event);
	stage->published++;
	free(text);
}

void stage_publish_many(struct stage *stage, size_t count, size_t padding)
{
	for (size_t i = 0; i < count; i++) {
		stage_publish(stage, EVENT_RCPT, (int64_t)i, padding);
		if (i % 500 == 499)
			stage_until(stage, event_bus_is_empty(stage->bus));
	}
	assert_int_equal(stage_lost(stage), 0);
	stage_settle(stage);
}

void client_open(struct stage *stage, struct client *c)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	*c = (struct client){.stage = stage};
	snprintf(name.sun_path, sizeof name.sun_path, "%s", stage->events_path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&name, sizeof name), 0);
	jsonl_init(&c->in, JSONL_LINE_MAX);
}

void client_close(struct client *c)
{
	close(c->fd);
	jsonl_fini(&c->in);
}

void client_send(struct client *c, const char *text)
{
	size_t len = strlen(text), sent = 0;

	while (sent < len) {
		ssize_t n = send(c->fd, text + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		else if (errno != EAGAIN)
			return; /* the hub has closed: the test looks for its answer */
		else
			stage_turn(c->stage);
	}
}

static void read_more(struct client *c)
{
	char piece[65536];
	ssize_t n = recv(c->fd, piece, sizeof piece, MSG_DONTWAIT);

	if (n > 0)
		assert_true(jsonl_feed(&c->in, piece, (size_t)n));
	else if (n == 0 || errno != EAGAIN)
		c->ended = true;
	else
		stage_turn(c->stage);
}

static json_t *take_any(struct client *c, bool may_end)
{
	double limit = ev_time() + 20;
	json_t *message;
	char *line;
	size_t len;

	while (!jsonl_next(&c->in, &line, &len)) {
		if (c->ended && may_end)
			return NULL;
		assert_false(c->ended);
		assert_true(ev_time() < limit);
		read_more(c);
	}
	message = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(message);
	return message;
}

static uint64_t number(const json_t *message, const char *name)
{
	const json_t *value = json_object_get(message, name);

	assert_true(json_is_integer(value));
	return (uint64_t)json_integer_value(value);
}

/* It tells what we have counted ourselves. */
static void account_heartbeat(struct client *c, const json_t *message)
{
	uint64_t seq = number(message, "seq");

	assert_true(c->filtered ? seq >= c->seq : seq == c->seq);
	assert_true(number(message, "head") >= seq);
	assert_int_equal(number(message, "lost_total"), c->lost);
	assert_int_equal(json_string_length(json_object_get(message, "time")), 27);
	c->heartbeats++;
}

json_t *client_take(struct client *c, const char *type)
{
	for (;;) {
		json_t *message = take_any(c, !type);
		const char *found = json_string_value(json_object_get(message, "type"));

		if (!message)
			return NULL;
		assert_non_null(found);
		if (strcmp(found, "heartbeat") == 0)
			account_heartbeat(c, message);
		else if (type)
			assert_string_equal(found, type);
		if (strcmp(found, type ? type : found) == 0 &&
		    (type || strcmp(found, "heartbeat") != 0))
			return message;
		json_decref(message);
	}
}

void stage_hello(struct stage *stage, uint64_t *head, uint64_t *oldest)
{
	struct client c;
	json_t *message;

	client_open(stage, &c);
	message = client_take(&c, "hello");
	*head = number(message, "head");
	*oldest = number(message, "oldest");
	json_decref(message);
	client_close(&c);
	stage_turn(stage); /* for the hub to notice */
}

void stage_settle(struct stage *stage)
{
	uint64_t head = 0, oldest;

	while (head < stage->published)
		stage_hello(stage, &head, &oldest);
	assert_int_equal(head, stage->published);
}

void client_subscribe(struct stage *stage, struct client *c, const char *events, const char *from,
		      uint64_t first, uint64_t replaying)
{
	char text[512];
	json_t *message;

	client_open(stage, c);
	message = client_take(c, "hello");
	assert_string_equal(json_string_value(json_object_get(message, "protocol")),
			    "gatepost-events");
	json_decref(message);
	snprintf(
		text, sizeof text,
		"{\"type\":\"subscribe\",\"version\":1,\"name\":\"t\",\"events\":%s,\"from\":%s}\n",
		events, from);
	client_send(c, text);
	message = client_take(c, "subscribed");
	assert_int_equal(number(message, "from"), first);
	assert_int_equal(number(message, "replaying"), replaying);
	json_decref(message);
	c->seq = first - 1;
	c->filtered = strcmp(events, "[\"*\"]") != 0;
}

static void account_event(struct client *c, const json_t *message)
{
	uint64_t seq = number(message, "seq");

	assert_int_equal(number(message, "prev"), c->seq);
	assert_true(seq > c->seq);
	if (!c->filtered)
		assert_int_equal(seq, c->seq + 1);
	assert_true(json_is_string(json_object_get(message, "time")));
	c->seq = seq;
	c->received++;
}

static void account_gap(struct client *c, const json_t *message)
{
	uint64_t from, to;

	c->gaps++;
	if (!json_object_get(message, "from"))
		return; /* epoch */
	from = number(message, "from");
	to = number(message, "to");
	assert_int_equal(number(message, "lost"), to - from + 1);
	/* An expired gap lies before what was subscribed to. */
	if (to > c->seq) {
		assert_true(c->filtered ? from > c->seq : from == c->seq + 1);
		c->seq = to;
	} else {
		assert_int_equal(to, c->seq);
	}
	c->lost += to - from + 1;
}

int64_t client_event(struct client *c, uint64_t seq)
{
	json_t *message = client_take(c, "event");
	int64_t n;

	account_event(c, message);
	assert_int_equal(c->seq, seq);
	n = json_integer_value(json_object_get(json_object_get(message, "data"), "n"));
	json_decref(message);
	return n;
}

void client_gap(struct client *c, uint64_t from, uint64_t to, const char *why)
{
	json_t *message = client_take(c, "gap");

	account_gap(c, message);
	assert_string_equal(json_string_value(json_object_get(message, "why")), why);
	if (from) {
		assert_int_equal(number(message, "from"), from);
		assert_int_equal(number(message, "to"), to);
	} else {
		assert_null(json_object_get(message, "from"));
		assert_null(json_object_get(message, "to"));
		assert_null(json_object_get(message, "lost"));
	}
	json_decref(message);
}

void client_refused(struct client *c, const char *code)
{
	json_t *message = client_take(c, "error");

	assert_true(json_is_true(json_object_get(message, "fatal")));
	assert_string_equal(json_string_value(json_object_get(message, "code")), code);
	json_decref(message);
	assert_null(client_take(c, NULL));
}

void client_read_one(struct client *c)
{
	json_t *message = client_take(c, NULL);
	const char *type;

	assert_non_null(message);
	type = json_string_value(json_object_get(message, "type"));
	if (strcmp(type, "event") == 0)
		account_event(c, message);
	else if (strcmp(type, "gap") == 0)
		account_gap(c, message);
	else
		fail_msg("unexpected %s", type);
	json_decref(message);
}

void client_read_until(struct client *c, uint64_t seq)
{
	while (c->seq < seq)
		client_read_one(c);
	assert_int_equal(c->seq, seq);
}

void client_idle(struct client *c)
{
	struct pollfd poll_fd = {.fd = c->fd, .events = POLLIN};
	char *line;
	size_t len;

	for (int i = 0; i < 5; i++)
		stage_turn(c->stage);
	if (poll(&poll_fd, 1, 0))
		json_decref(client_take(c, "heartbeat"));
	assert_false(jsonl_next(&c->in, &line, &len));
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
}
