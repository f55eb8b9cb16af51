#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "listen.h"
#include "request_state.h"
#include "server_state.h"
#include "shape.h"
#include "protocol/grow.h"

#define EVENTS_MAX 64 /* of one turn */

/* --- birth and end --- */

static bool add(const struct gatepost_server *server, int fd, uint64_t number)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = number};

	return epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool open_all(struct gatepost_server *server, struct gatepost_error *error)
{
	server->listener = gatepost_listen(server->path, error);
	if (server->listener < 0)
		return false;
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->ticker = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return (server->epoll >= 0 && server->ticker >= 0 &&
		add(server, server->listener, NUMBER_LISTENER) &&
		add(server, server->ticker, NUMBER_TICKER) &&
		lstat(server->path, &server->made) == 0) ||
	       gatepost_shape_fail(error, "system", "%.128s: %s", server->path,
				   strerrordesc_np(errno));
}

struct gatepost_server *gatepost_server_new(const char *path,
					    const struct gatepost_policy_options *options,
					    gatepost_handler *handler, void *arg,
					    struct gatepost_error *error)
{
	struct gatepost_policy *probe = gatepost_policy_new(options, error);
	struct gatepost_server *server;

	if (!probe)
		return NULL;
	gatepost_policy_free(&probe);
	server = grow_resize(NULL, sizeof *server);
	memset(server, 0, sizeof *server);
	server->options = options;
	server->handler = handler;
	server->arg = arg;
	server->may_defer = true;
	server->listener = server->epoll = server->ticker = -1;
	server->last_number = NUMBER_FIRST;
	server->path = grow_resize(NULL, strlen(path) + 1);
	memcpy(server->path, path, strlen(path) + 1);
	if (!open_all(server, error))
		gatepost_server_free(&server);
	return server;
}

static void close_listener(struct gatepost_server *server)
{
	struct stat now;

	if (server->listener < 0)
		return;
	/* A successor may have put its own socket there. */
	if (lstat(server->path, &now) == 0 && server->made.st_dev == now.st_dev &&
	    server->made.st_ino == now.st_ino)
		unlink(server->path);
	close(server->listener);
	server->listener = -1;
}

void gatepost_server_free(struct gatepost_server **server)
{
	struct gatepost_server *s = *server;

	*server = NULL;
	if (!s)
		return;
	close_listener(s);
	while (s->len)
		gatepost_server_drop(s, s->connections[0]);
	if (s->epoll >= 0)
		close(s->epoll);
	if (s->ticker >= 0)
		close(s->ticker);
	free(s->path);
	free(s);
}

void gatepost_server_forbid_later(struct gatepost_server *server)
{
	server->may_defer = false;
}

void gatepost_server_drain_on(struct gatepost_server *server, int fd)
{
	server->order = fd;
	/* Without memory for it, a drain at once: better than one that never comes. */
	if (!add(server, fd, NUMBER_ORDER))
		gatepost_server_drain(server);
}

int gatepost_server_fd(const struct gatepost_server *server)
{
	return server->epoll;
}

/* --- seconds --- */

/* One tick a second from now on; the first one at once when `now`. */
static void tick(const struct gatepost_server *server, bool now)
{
	struct itimerspec period = {.it_interval = {.tv_sec = 1}, .it_value = {.tv_sec = 1}};

	if (now)
		period.it_value = (struct timespec){.tv_nsec = 1};
	timerfd_settime(server->ticker, 0, &period, NULL);
}

static void hear(struct gatepost_server *server, bool hear)
{
	struct epoll_event event = {.events = hear ? EPOLLIN : 0, .data.u64 = NUMBER_LISTENER};

	server->is_deaf = !hear;
	if (server->listener >= 0)
		epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->listener, &event);
}

static void end_handshakes(struct gatepost_server *server, bool *waiting)
{
	for (size_t i = server->len; i-- > 0;) {
		struct gatepost_connection *connection = server->connections[i];

		if (gatepost_policy_is_ready(connection->policy))
			continue;
		if (connection->seconds++ < HANDSHAKE_SECONDS) {
			*waiting = true;
			continue;
		}
		gatepost_server_tell(server, "a gateway has not finished its handshake in time");
		gatepost_server_drop(server, connection);
	}
}

static void on_tick(struct gatepost_server *server)
{
	const struct itimerspec never = {0};
	bool waiting = server->draining;
	uint64_t ticks;

	if (read(server->ticker, &ticks, sizeof ticks) < 0)
		return;
	if (server->is_deaf)
		hear(server, true);
	end_handshakes(server, &waiting);
	if (server->draining && !server->seconds_left--)
		while (server->len)
			gatepost_server_drop(server, server->connections[0]);
	if (!waiting)
		timerfd_settime(server->ticker, 0, &never, NULL);
}

/* --- a turn --- */

static void accept_one(struct gatepost_server *server)
{
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct gatepost_connection *connection;
	struct gatepost_error error;

	if (fd < 0) {
		if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
			return;
		/* It would be readable all the time. */
		hear(server, false);
		tick(server, false);
		return;
	}
	if (server->len == CONNECTION_MAX || !add(server, fd, server->last_number + 1)) {
		close(fd);
		return;
	}
	connection = grow_resize(NULL, sizeof *connection);
	*connection =
		(struct gatepost_connection){.number = ++server->last_number,
					     .fd = fd,
					     .policy = gatepost_policy_new(server->options, &error),
					     .events = EPOLLIN,
					     .window_is_due = server->has_window};
	server->connections[server->len++] = connection;
	tick(server, false);
}

static void happen(struct gatepost_server *server, const struct epoll_event *event)
{
	struct gatepost_connection *connection;

	if (event->data.u64 == NUMBER_TICKER) {
		on_tick(server);
	} else if (event->data.u64 == NUMBER_ORDER) {
		epoll_ctl(server->epoll, EPOLL_CTL_DEL, server->order, NULL);
		gatepost_server_drain(server);
	} else if (event->data.u64 == NUMBER_LISTENER) {
		if (server->listener >= 0)
			accept_one(server);
	} else {
		connection = gatepost_server_find(server, event->data.u64);
		if (connection)
			gatepost_server_serve(server, connection, event->events);
	}
}

bool gatepost_server_step(struct gatepost_server *server, int wait_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n;

	if (server->draining && !server->len)
		return false;
	n = epoll_wait(server->epoll, events, EVENTS_MAX, wait_ms);
	for (int i = 0; i < n; i++)
		happen(server, &events[i]);
	return !server->draining || server->len;
}

static unsigned longest_wait(const struct gatepost_policy *policy)
{
	const struct gatepost_ready *ready = gatepost_policy_ready(policy);
	int64_t longest = 0;

	for (unsigned hook = 0; ready && hook < GATEPOST_HOOK_MAX; hook++)
		if (ready->deadline_ms[hook] + ready->extend_ms[hook] > longest)
			longest = ready->deadline_ms[hook] + ready->extend_ms[hook];
	return (unsigned)(longest / 1000 + 1);
}

void gatepost_server_drain(struct gatepost_server *server)
{
	if (server->draining)
		return;
	server->draining = true;
	server->seconds_left = GRACE_SECONDS;
	close_listener(server);
	for (size_t i = 0; i < server->len; i++) {
		struct gatepost_connection *connection = server->connections[i];
		unsigned longest = longest_wait(connection->policy);

		if (longest > server->seconds_left)
			server->seconds_left = longest;
		/* One that is not ready has nothing to lose. It is found closed by the next step:
		 * the caller may be the handler. */
		if (!gatepost_policy_is_ready(connection->policy))
			shutdown(connection->fd, SHUT_RDWR);
		gatepost_policy_drain(connection->policy);
		gatepost_server_want_out(server, connection);
	}
	tick(server, true); /* so that there is something to do, even without a connection */
}

/* --- a decision that takes its time --- */

struct gatepost_verdict gatepost_later(void)
{
	return (struct gatepost_verdict){.decision = GATEPOST_LATER};
}

bool gatepost_server_reply(struct gatepost_server *server, struct gatepost_request **request,
			   const struct gatepost_verdict *verdict)
{
	struct gatepost_connection *connection =
		gatepost_server_find(server, (*request)->connection);
	uint64_t id = gatepost_request_id(*request);

	if (connection) {
		gatepost_server_decide(server, connection->policy, id, verdict);
		gatepost_server_want_out(server, connection);
	}
	gatepost_request_free(request);
	return connection;
}

bool gatepost_server_is_awaited(const struct gatepost_server *server,
				const struct gatepost_request *request)
{
	struct gatepost_connection *connection = gatepost_server_find(server, request->connection);

	return connection &&
	       !gatepost_policy_is_cancelled(connection->policy, gatepost_request_id(request));
}

bool gatepost_server_progress(struct gatepost_server *server,
			      const struct gatepost_request *request, unsigned extend_ms,
			      struct gatepost_error *error)
{
	struct gatepost_connection *connection = gatepost_server_find(server, request->connection);

	if (!connection)
		return gatepost_shape_fail(error, "unknown_id", "its connection is gone");
	gatepost_server_want_out(server, connection);
	return gatepost_policy_progress(connection->policy, gatepost_request_id(request), extend_ms,
					error);
}

void gatepost_server_window(struct gatepost_server *server, unsigned n)
{
	server->has_window = true;
	server->window = n;
	for (size_t i = 0; i < server->len; i++) {
		struct gatepost_connection *connection = server->connections[i];

		connection->window_is_due = !gatepost_policy_is_ready(connection->policy);
		gatepost_policy_window(connection->policy, n);
		gatepost_server_want_out(server, connection);
	}
}
