#include "server.h"

#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "net/reaper.h"

static void produce(struct server *s)
{
	struct buf *out = transport_out(s->t);

	while (s->produce && buf_room(out)) {
		char octet = (char)(s->produce % 251);

		buf_append(out, &octet, 1);
		s->produce--;
	}
}

static void pump(struct server *s)
{
	s->inside = true;
	transport_pump(s->t);
	s->inside = false;
}

static bool turns_to_tls(struct server *s)
{
	struct buf *in = transport_in(s->t);

	if (!s->context || in->len != 10 || memcmp(buf_head(in), "STARTTLS\r\n", 10) != 0)
		return false;
	buf_consume(in, 10);
	buf_append_string(transport_out(s->t), "220 go\r\n");
	s->inside = true;
	transport_start_tls(s->t, s->context, false);
	s->inside = false;
	return true;
}

void server_work(struct server *s)
{
	struct buf *in = transport_in(s->t);
	size_t n = s->take && s->take < in->len ? s->take : in->len;

	if (turns_to_tls(s))
		return;
	if (s->hold)
		n = 0;
	if (n)
		buf_append(&s->seen, buf_head(in), n);
	if (n && s->echo)
		buf_append(transport_out(s->t), buf_head(in), n);
	buf_consume(in, n);
	produce(s);
	pump(s);
}

void server_finish(struct server *s)
{
	s->inside = true;
	transport_finish(s->t);
	s->inside = false;
}

static void on_event(void *arg, enum transport_event event)
{
	struct server *s = arg;

	assert_false(s->inside);
	assert_non_null(s->t);
	assert_true(transport_in(s->t)->len <= transport_in(s->t)->max);
	s->count[event]++;
	if (strlen(s->order) < sizeof s->order - 1)
		s->order[strlen(s->order)] = "IESDFT"[event];
	if (s->free_on_event)
		transport_free(&s->t);
	else if (event == TRANSPORT_INPUT || event == TRANSPORT_SECURE)
		server_work(s);
}

void server_init(struct server *s, size_t in_max, size_t out_max, bool small)
{
	int fds[2];

	*s = (struct server){.loop = ev_loop_new(0)};
	buf_init(&s->seen, 67108864);
	peer_tcp_pair(fds, small);
	peer_init(&s->peer, s->loop, fds[1]);
	s->t = transport_new(s->loop, fds[0], in_max, out_max, on_event, s);
}

void server_fini(struct server *s)
{
	transport_free(&s->t);
	peer_fini(&s->peer);
	ev_run(s->loop, 0); /* lingering sockets end, or this test does not */
	reaper_run(s->loop);
	buf_fini(&s->seen);
	ev_loop_destroy(s->loop);
}

unsigned server_count(const struct server *s, enum transport_event event)
{
	return s->count[event];
}
