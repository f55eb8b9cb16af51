#include "linger.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* A client across the world needs a few round trips to see our FIN and answer. Without an end,
 * clients that never close would collect descriptors. */
#define LINGER_SECONDS 2.0
/* Without a bound, clients that connect, err and stay could take all descriptors; above it, closing
 * is as abrupt as it always was. */
#define LINGER_MAX 1000

struct linger_socket {
	ev_io io;
	ev_timer timer;
};

static unsigned linger_count;

enum linger_result linger_discard(int fd)
{
	char waste[16384];
	ssize_t n = recv(fd, waste, sizeof waste, MSG_DONTWAIT);

	if (n > 0)
		return LINGER_MORE;
	if (n == 0)
		return LINGER_EOF;
	return errno == EAGAIN || errno == EINTR ? LINGER_MORE : LINGER_ERROR;
}

static void finish(struct ev_loop *loop, struct linger_socket *s)
{
	ev_io_stop(loop, &s->io);
	ev_timer_stop(loop, &s->timer);
	close(s->io.fd);
	free(s);
	linger_count--;
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)revents;
	if (linger_discard(w->fd) != LINGER_MORE)
		finish(loop, w->data);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)revents;
	finish(loop, w->data);
}

void linger_start(struct ev_loop *loop, int fd)
{
	struct linger_socket *s;

	if (linger_count >= LINGER_MAX) {
		close(fd);
		return;
	}
	linger_count++;
	s = mem_new(sizeof *s);
	s->io.data = s->timer.data = s;
	ev_io_init(&s->io, on_io, fd, EV_READ);
	ev_timer_init(&s->timer, on_timer, LINGER_SECONDS, 0.);
	ev_io_start(loop, &s->io);
	ev_timer_start(loop, &s->timer);
}
