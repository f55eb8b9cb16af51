#include "reset_watch.h"

#include <sys/epoll.h>
#include <sys/socket.h>

/* One set a process, made when first needed. A process that forks workers has no clients and so
 * none to share with them. */
static int set_fd = -1;
static unsigned set_count;
static ev_io set_io;

static void on_set(struct ev_loop *loop, ev_io *w, int revents)
{
	struct epoll_event event;
	struct reset_watch *watch;
	int error = 0;
	socklen_t length = sizeof error;

	(void)revents;
	/* One at a time: its callback may stop others that a longer answer would still name. */
	if (epoll_wait(w->fd, &event, 1, 0) != 1)
		return;
	watch = event.data.ptr;
	/* Hang-up alone is no error: the peer of a Unix socket may have closed and left octets for
	 * us. */
	if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &length) || !error)
		return;
	reset_watch_stop(loop, watch);
	watch->on_reset(watch, error);
}

void reset_watch_init(struct reset_watch *w, int fd,
		      void (*on_reset)(struct reset_watch *w, int error))
{
	*w = (struct reset_watch){.fd = fd, .on_reset = on_reset};
}

void reset_watch_start(struct ev_loop *loop, struct reset_watch *w)
{
	/* Edge triggered: a hang-up, which we ignore, is reported once and not for ever. */
	struct epoll_event event = {.events = EPOLLET, .data.ptr = w};

	if (w->active)
		return;
	if (set_fd < 0)
		set_fd = epoll_create1(EPOLL_CLOEXEC);
	/* Without it the reset shows at the next write. */
	if (set_fd < 0 || epoll_ctl(set_fd, EPOLL_CTL_ADD, w->fd, &event))
		return;
	w->active = true;
	if (set_count++)
		return;
	ev_io_init(&set_io, on_set, set_fd, EV_READ);
	ev_io_start(loop, &set_io);
}

void reset_watch_stop(struct ev_loop *loop, struct reset_watch *w)
{
	if (!w->active)
		return;
	w->active = false;
	epoll_ctl(set_fd, EPOLL_CTL_DEL, w->fd, NULL);
	if (!--set_count)
		ev_io_stop(loop, &set_io);
}
