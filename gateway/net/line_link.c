#include "line_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "protocol/jsonl.h"
#include "reaper.h"
#include "rights.h"

/* All that the kernel holds of a Unix socket. With less, the hub would take from a worker too
 * little in the turns that many subscribers make long, and the worker lose the rest. */
#define READ_SIZE 262144
/* The writing buffer that is kept while it is empty: what a turn of the loop writes in practice. To
 * grow it anew each turn costs more than the writing. */
#define KEPT_MAX 65536

struct line_link {
	struct ev_loop *loop;
	ev_io io;
	/* Never started, only fed. Its priority is the lowest, so its callback runs after all
	 * others of the turn, and what they wrote goes out in one piece. An ev_prepare would miss
	 * what another ev_prepare writes. */
	ev_prepare turn_end;
	struct jsonl in;
	struct buf out;
	struct rights rights; /* descriptors that go with octets of `out` */
	void (*on_event)(void *arg, enum line_link_event event);
	void *arg;
	char *line;
	size_t line_len;
	bool up_due;	   /* connected by us, not yet told */
	bool writable_due; /* `out` was half full: say so when it is empty */
	bool paused;
	bool cannot_write; /* the peer's last lines may still be in the kernel */
	bool ended;	   /* nothing more will be read */
	bool down_told;
	bool closed;
	char failure[128];
};

static void set_failure(struct line_link *l, const char *text)
{
	if (!l->failure[0])
		snprintf(l->failure, sizeof l->failure, "%s", text);
}

static const char *error_text(int error)
{
	if (error == EPIPE || error == ECONNRESET)
		return "closed by the peer";
	if (error == EAGAIN)
		return "the peer accepts no more connections for now";
	if (error == ETOOMANYREFS)
		return "too many descriptors on their way (see RLIMIT_NOFILE)";
	return strerror(error);
}

static void watch(struct line_link *l)
{
	int events = 0;

	if (!l->ended && !l->paused)
		events |= EV_READ;
	if (!l->ended && !l->cannot_write && l->out.len)
		events |= EV_WRITE;
	if (l->io.fd < 0 ||
	    (ev_is_active(&l->io) && (l->io.events & (EV_READ | EV_WRITE)) == events))
		return;
	ev_io_stop(l->loop, &l->io);
	ev_io_modify(&l->io, events);
	if (events)
		ev_io_start(l->loop, &l->io);
}

static void write_out(struct line_link *l)
{
	while (l->out.len && !l->cannot_write) {
		ssize_t n = rights_send(&l->rights, l->io.fd, buf_head(&l->out), l->out.len);

		if (n >= 0) {
			buf_consume(&l->out, (size_t)n);
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			set_failure(l, error_text(errno));
			l->cannot_write = true;
			rights_drop(&l->rights);
			/* Reading comes to its end after the peer's last lines, and then DOWN. */
			shutdown(l->io.fd, SHUT_RD);
		}
	}
	if (l->out.size > KEPT_MAX)
		buf_release(&l->out);
}

static void end_reading(struct line_link *l, const char *why)
{
	set_failure(l, why);
	l->ended = l->cannot_write = true;
	rights_drop(&l->rights);
}

static void read_in(struct line_link *l)
{
	static char piece[READ_SIZE]; /* one for all: what was read is copied at once */
	ssize_t n = recv(l->io.fd, piece, sizeof piece, MSG_DONTWAIT);

	if (n > 0) {
		l->ended = !jsonl_feed(&l->in, piece, (size_t)n);
		if (l->ended) {
			char text[64];

			snprintf(text, sizeof text, "line longer than %d octets", JSONL_LINE_MAX);
			set_failure(l, text);
		}
	} else if (n == 0) {
		end_reading(l, "closed by the peer");
	} else if (errno != EAGAIN && errno != EINTR) {
		end_reading(l, error_text(errno));
	}
}

static void deliver_lines(struct line_link *l)
{
	while (!l->closed && !l->paused && jsonl_next(&l->in, &l->line, &l->line_len))
		l->on_event(l->arg, LINE_LINK_LINE);
}

static void deliver(struct line_link *l)
{
	if (l->up_due) {
		l->up_due = false;
		l->on_event(l->arg, LINE_LINK_UP);
	}
	deliver_lines(l);
	if (!l->closed && !l->ended && l->writable_due && !l->out.len) {
		l->writable_due = false;
		l->on_event(l->arg, LINE_LINK_WRITABLE);
	}
	if (!l->closed && l->ended && !l->paused && !l->down_told) {
		l->down_told = true;
		l->on_event(l->arg, LINE_LINK_DOWN);
	}
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct line_link *l = w->data;

	(void)loop;
	if (revents & EV_WRITE)
		write_out(l);
	/* What was left over by a pause is delivered before more is fed. */
	deliver_lines(l);
	if (!l->closed && !l->paused && !l->ended && revents & EV_READ)
		read_in(l);
	if (!l->closed)
		deliver(l);
	if (!l->closed)
		watch(l);
}

static void on_turn_end(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct line_link *l = w->data;

	(void)revents;
	write_out(l);
	watch(l);
	if (l->writable_due && !l->out.len)
		ev_feed_event(loop, &l->io, EV_CUSTOM);
}

static struct line_link *make(struct ev_loop *loop, int fd, size_t out_max,
			      void (*on_event)(void *arg, enum line_link_event event), void *arg)
{
	struct line_link *l = mem_new(sizeof *l);

	l->loop = loop;
	l->on_event = on_event;
	l->arg = arg;
	buf_init(&l->out, out_max);
	jsonl_init(&l->in, JSONL_LINE_MAX);
	ev_io_init(&l->io, on_io, fd, 0);
	l->io.data = l;
	ev_prepare_init(&l->turn_end, on_turn_end);
	ev_set_priority(&l->turn_end, EV_MINPRI);
	l->turn_end.data = l;
	return l;
}

/* Connects a Unix stream socket; on failure -1 and errno. Such a connect never is "in progress": it
 * succeeds, fails, or says EAGAIN when the peer's backlog is full. */
static int dial(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd, error;

	if (strlen(path) >= sizeof name.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof name)) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

struct line_link *line_link_dial(struct ev_loop *loop, const char *path, size_t out_max,
				 void (*on_event)(void *arg, enum line_link_event event), void *arg)
{
	int fd = dial(path), error = errno;
	struct line_link *l = make(loop, fd, out_max, on_event, arg);

	l->up_due = fd >= 0;
	l->ended = l->cannot_write = !l->up_due;
	if (l->ended)
		set_failure(l, error_text(error));
	watch(l);
	ev_feed_event(loop, &l->io, EV_CUSTOM);
	return l;
}

struct line_link *line_link_new(struct ev_loop *loop, int fd, size_t out_max,
				void (*on_event)(void *arg, enum line_link_event event), void *arg)
{
	struct line_link *l = make(loop, fd, out_max, on_event, arg);

	watch(l);
	return l;
}

static void destroy(void *object)
{
	struct line_link *l = object;

	buf_fini(&l->out);
	jsonl_fini(&l->in);
	free(l);
}

void line_link_free(struct line_link **link)
{
	struct line_link *l = *link;

	if (!l)
		return;
	*link = NULL;
	ev_io_stop(l->loop, &l->io);
	ev_prepare_stop(l->loop, &l->turn_end); /* takes back what was fed */
	if (l->io.fd >= 0)
		close(l->io.fd);
	rights_drop(&l->rights);
	l->closed = true;
	reaper_add(l->loop, l, destroy);
}

char *line_link_line(struct line_link *l, size_t *len)
{
	*len = l->line_len;
	return l->line;
}

bool line_link_send(struct line_link *l, const char *data, size_t len)
{
	if (l->cannot_write)
		return false;
	if (len > buf_room(&l->out)) {
		l->writable_due = true;
		return false;
	}
	buf_append(&l->out, data, len);
	if (l->out.len > l->out.max / 2)
		l->writable_due = true;
	if (!(l->io.events & EV_WRITE)) /* else it goes out when the kernel takes more */
		ev_feed_event(l->loop, &l->turn_end, EV_CUSTOM);
	return true;
}

bool line_link_send_fd(struct line_link *l, const char *data, size_t len, int fd)
{
	if (l->cannot_write || !len || len > buf_room(&l->out)) {
		close(fd);
		return len && line_link_send(l, data, len); /* which says no */
	}
	if (!rights_add(&l->rights, l->out.len, fd)) {
		l->writable_due = true;
		return false;
	}
	return line_link_send(l, data, len);
}

size_t line_link_room(const struct line_link *l)
{
	return l->cannot_write ? 0 : buf_room(&l->out);
}

size_t line_link_pending(const struct line_link *l)
{
	return l->out.len;
}

void line_link_want_empty(struct line_link *l)
{
	l->writable_due = true;
	ev_feed_event(l->loop, &l->turn_end, EV_CUSTOM);
}

void line_link_release(struct line_link *l)
{
	buf_release(&l->out);
}

void line_link_pause(struct line_link *l, bool pause)
{
	if (l->paused == pause)
		return;
	l->paused = pause;
	watch(l);
	if (!pause)
		ev_feed_event(l->loop, &l->io, EV_CUSTOM);
}

void line_link_flush(struct line_link *l)
{
	write_out(l);
	ev_feed_event(l->loop, &l->turn_end, EV_CUSTOM);
}

const char *line_link_failure(const struct line_link *l)
{
	return l->failure;
}

bool line_link_is_too_long(const struct line_link *l)
{
	return l->in.too_long;
}

uid_t line_link_descriptor_uid(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof peer;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		return (uid_t)-1;
	return peer.uid;
}

uid_t line_link_peer_uid(const struct line_link *l)
{
	return line_link_descriptor_uid(l->io.fd);
}
