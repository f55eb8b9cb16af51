#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "request_state.h"
#include "server_state.h"

#define FDS_MAX 253 /* of one read: SCM_MAX_FD of the kernel */

struct gatepost_connection *gatepost_server_find(const struct gatepost_server *server,
						 uint64_t number)
{
	for (size_t i = 0; i < server->len; i++)
		if (server->connections[i]->number == number)
			return server->connections[i];
	return NULL;
}

void gatepost_server_tell(const struct gatepost_server *server, const char *text)
{
	if (server->options->log)
		server->options->log(server->options->log_arg, text);
}

static void wait_for(const struct gatepost_server *server, struct gatepost_connection *connection,
		     uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = connection->number};

	if (connection->events == events)
		return;
	connection->events = events;
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

void gatepost_server_want_out(const struct gatepost_server *server,
			      struct gatepost_connection *connection)
{
	wait_for(server, connection, connection->events | EPOLLOUT);
}

void gatepost_server_drop(struct gatepost_server *server, struct gatepost_connection *connection)
{
	size_t i = 0;

	while (server->connections[i] != connection)
		i++;
	server->connections[i] = server->connections[--server->len];
	if (gatepost_policy_error(connection->policy)->code[0])
		gatepost_server_tell(server, gatepost_policy_error(connection->policy)->message);
	gatepost_policy_free(&connection->policy);
	close(connection->fd);
	free(connection);
}

void gatepost_server_decide(const struct gatepost_server *server, struct gatepost_policy *policy,
			    uint64_t id, const struct gatepost_verdict *verdict)
{
	struct gatepost_verdict fault = gatepost_fault();
	struct gatepost_error error;

	if (gatepost_policy_reply(policy, id, verdict, &error))
		return;
	gatepost_server_tell(server, error.message);
	gatepost_policy_reply(policy, id, &fault, &error);
}

static void answer_all(struct gatepost_server *server, struct gatepost_connection *connection)
{
	struct gatepost_request *request;
	struct gatepost_verdict verdict;
	uint64_t id;

	while ((request = gatepost_policy_next(connection->policy))) {
		id = gatepost_request_id(request);
		request->connection = connection->number;
		verdict = server->handler(request, server->arg);
		if (id && verdict.decision == GATEPOST_LATER && server->may_defer)
			continue;
		if (id)
			gatepost_server_decide(server, connection->policy, id, &verdict);
		gatepost_request_free(&request);
	}
}

/* Hands over what came along. False: something was lost on the way. */
static bool take_fds(struct gatepost_connection *connection, struct msghdr *message)
{
	int fds[FDS_MAX];
	size_t n;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof fds[0];
		memcpy(fds, CMSG_DATA(c), n * sizeof fds[0]);
		gatepost_policy_feed_fds(connection->policy, fds, n);
	}
	return !(message->msg_flags & MSG_CTRUNC);
}

/* Line by line: the memory of a request is the next one's, and stays in the processor's cache. */
static bool take_lines(struct gatepost_server *server, struct gatepost_connection *connection,
		       size_t len)
{
	const char *at = server->in, *end = at + len;
	bool ok = true;

	while (ok && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = newline ? (size_t)(newline - at) + 1 : (size_t)(end - at);

		ok = gatepost_policy_feed(connection->policy, at, n);
		answer_all(server, connection);
		at += n;
	}
	return ok;
}

/* False: the connection is over. */
static bool read_in(struct gatepost_server *server, struct gatepost_connection *connection)
{
	union {
		struct cmsghdr header; /* for its alignment */
		char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec vector = {.iov_base = server->in, .iov_len = sizeof server->in};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = sizeof control.space};
	ssize_t n = recvmsg(connection->fd, &message, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (!take_fds(connection, &message)) {
		gatepost_server_tell(server, "a descriptor was lost: no more files can be opened");
		return false;
	}
	if (n)
		return take_lines(server, connection, (size_t)n);
	gatepost_policy_feed_end(connection->policy);
	answer_all(server, connection);
	return false;
}

/* False: the gateway is gone. */
static bool send_out(struct gatepost_connection *connection)
{
	const char *data;
	ssize_t n;
	size_t len;

	while ((len = gatepost_policy_out(connection->policy, &data))) {
		n = send(connection->fd, data, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		gatepost_policy_sent(connection->policy, (size_t)n);
	}
	return true;
}

void gatepost_server_serve(struct gatepost_server *server, struct gatepost_connection *connection,
			   uint32_t happened)
{
	const char *data;
	size_t unsent;
	bool ok = true;

	if (happened & (EPOLLIN | EPOLLHUP | EPOLLERR))
		ok = read_in(server, connection);
	if (ok && connection->window_is_due && gatepost_policy_is_ready(connection->policy)) {
		connection->window_is_due = false;
		gatepost_policy_window(connection->policy, server->window);
	}
	if (!send_out(connection) || !ok) {
		gatepost_server_drop(server, connection);
		return;
	}
	unsent = gatepost_policy_out(connection->policy, &data);
	if (!unsent && gatepost_policy_is_drained(connection->policy))
		gatepost_server_drop(server, connection);
	else
		wait_for(server, connection,
			 (unsent < OUT_MAX ? EPOLLIN : 0u) | (unsent ? EPOLLOUT : 0u));
}
