#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <gatepost/policy.h>

#include "shape.h"
#include "protocol/grow.h"

#define CONNECTION_MAX 256 /* a gateway makes one for each worker */
#define READ_SIZE      65536
#define OUT_MAX	       1048576 /* unsent: a gateway that does not read is not read from either */
#define GRACE_SECONDS  5       /* for the last replies after a signal */

enum { PLACE_SIGNAL, PLACE_LISTENER, PLACE_FIRST };

struct server {
	const struct gatepost_policy_options *options;
	gatepost_handler *handler;
	void *arg;
	struct gatepost_policy *policies[CONNECTION_MAX];
	struct pollfd fds[PLACE_FIRST + CONNECTION_MAX];
	bool stopping;
	nfds_t len; /* of fds; policies[i] belongs to fds[PLACE_FIRST + i] */
	char in[READ_SIZE];
};

static void tell(const struct server *server, const char *text)
{
	if (server->options->log)
		server->options->log(server->options->log_arg, text);
}

static bool fail(struct gatepost_error *error, const char *what, const char *path)
{
	return gatepost_shape_fail(error, "system", "%.128s: %s: %s", path, what,
				   strerrordesc_np(errno));
}

/* Removes a socket that nobody serves any more. */
static bool remove_dead(const struct sockaddr_un *address, struct gatepost_error *error)
{
	struct stat about;
	int fd, result;

	if (lstat(address->sun_path, &about) < 0)
		return errno == ENOENT || fail(error, "lstat", address->sun_path);
	errno = EEXIST;
	if (!S_ISSOCK(about.st_mode))
		return fail(error, "not a socket", address->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(error, "socket", address->sun_path);
	result = connect(fd, (const struct sockaddr *)address, sizeof *address);
	if (result == 0)
		errno = EADDRINUSE;
	if (result < 0 && errno == ECONNREFUSED)
		result = unlink(address->sun_path) < 0 ? -1 : 1;
	close(fd);
	return result == 1 || fail(error, "another service", address->sun_path);
}

static int listen_at(const char *path, struct gatepost_error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof address.sun_path) {
		gatepost_shape_fail(error, "usage", "the path of the socket is too long");
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (!remove_dead(&address, error))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Nobody can connect before listen(), so the mode is never wider than it shall be. */
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
	    chmod(path, 0660) < 0 || listen(fd, 64) < 0) {
		fail(error, "listen", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static void accept_one(struct server *server)
{
	int fd = accept4(server->fds[PLACE_LISTENER].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct gatepost_error error;
	struct gatepost_policy *policy;

	if (fd < 0)
		return;
	policy = server->len < PLACE_FIRST + CONNECTION_MAX
			 ? gatepost_policy_new(server->options, &error)
			 : NULL;
	if (!policy) {
		close(fd);
		return;
	}
	server->policies[server->len - PLACE_FIRST] = policy;
	server->fds[server->len++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void drop(struct server *server, nfds_t place)
{
	nfds_t last = --server->len;

	if (gatepost_policy_error(server->policies[place - PLACE_FIRST])->code[0])
		tell(server, gatepost_policy_error(server->policies[place - PLACE_FIRST])->message);
	gatepost_policy_free(&server->policies[place - PLACE_FIRST]);
	close(server->fds[place].fd);
	server->fds[place] = server->fds[last];
	server->policies[place - PLACE_FIRST] = server->policies[last - PLACE_FIRST];
}

/* False: the gateway is gone. */
static bool send_out(struct server *server, nfds_t place)
{
	struct gatepost_policy *policy = server->policies[place - PLACE_FIRST];
	const char *data;
	ssize_t n;
	size_t len;

	while ((len = gatepost_policy_out(policy, &data))) {
		n = send(server->fds[place].fd, data, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		gatepost_policy_sent(policy, (size_t)n);
	}
	return true;
}

static void answer(struct server *server, struct gatepost_policy *policy,
		   struct gatepost_request *request)
{
	struct gatepost_verdict verdict = server->handler(request, server->arg),
				fault = gatepost_fault();
	uint64_t id = gatepost_request_id(request);
	struct gatepost_error error;

	if (!id || gatepost_policy_reply(policy, id, &verdict, &error))
		return;
	tell(server, error.message);
	gatepost_policy_reply(policy, id, &fault, &error);
}

static void answer_all(struct server *server, struct gatepost_policy *policy)
{
	struct gatepost_request *request;

	while ((request = gatepost_policy_next(policy))) {
		answer(server, policy, request);
		gatepost_request_free(&request);
	}
}

/* False: the connection is over. */
static bool read_in(struct server *server, nfds_t place)
{
	struct gatepost_policy *policy = server->policies[place - PLACE_FIRST];
	ssize_t n = recv(server->fds[place].fd, server->in, sizeof server->in, 0);
	bool ok;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	ok = n ? gatepost_policy_feed(policy, server->in, (size_t)n)
	       : (gatepost_policy_feed_end(policy), false);
	answer_all(server, policy);
	return ok;
}

static void serve_one(struct server *server, nfds_t place)
{
	struct gatepost_policy *policy = server->policies[place - PLACE_FIRST];
	short happened = server->fds[place].revents;
	const char *data;
	size_t unsent;
	bool ok = true;

	if (happened & (POLLIN | POLLHUP | POLLERR))
		ok = read_in(server, place);
	if (!send_out(server, place) || !ok) {
		drop(server, place);
		return;
	}
	unsent = gatepost_policy_out(policy, &data);
	if (!unsent && gatepost_policy_is_drained(policy)) {
		drop(server, place);
		return;
	}
	server->fds[place].events =
		(short)((unsent < OUT_MAX ? POLLIN : 0) | (unsent ? POLLOUT : 0));
}

static void run(struct server *server)
{
	while (!server->stopping || server->len > PLACE_FIRST) {
		if (poll(server->fds, server->len, -1) < 0)
			continue;
		if (server->fds[PLACE_SIGNAL].revents)
			return;
		/* From the end, since drop() puts the last one into a hole. */
		for (nfds_t place = server->len; place-- > PLACE_FIRST;)
			if (server->fds[place].revents)
				serve_one(server, place);
		if (server->fds[PLACE_LISTENER].revents)
			accept_one(server);
	}
}

/* Answers what is on its way; the timer ends it, whatever the gateways do. */
static void finish(struct server *server)
{
	const struct itimerspec grace = {.it_value = {.tv_sec = GRACE_SECONDS}};
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	for (nfds_t place = server->len; timer >= 0 && place-- > PLACE_FIRST;) {
		struct gatepost_policy *policy = server->policies[place - PLACE_FIRST];

		gatepost_policy_drain(policy);
		if (!gatepost_policy_is_ready(policy) || !send_out(server, place))
			drop(server, place);
	}
	server->stopping = true;
	server->fds[PLACE_SIGNAL] = (struct pollfd){.fd = timer, .events = POLLIN};
	server->fds[PLACE_LISTENER].fd = -1; /* passed over by poll() */
	if (timer >= 0 && timerfd_settime(timer, 0, &grace, NULL) == 0)
		run(server);
	while (server->len > PLACE_FIRST)
		drop(server, server->len - 1);
	if (timer >= 0)
		close(timer);
}

static void serve_listener(struct server *server, const char *path, int listener, int signals)
{
	struct stat made, now;
	bool known = lstat(path, &made) == 0;

	server->fds[PLACE_SIGNAL] = (struct pollfd){.fd = signals, .events = POLLIN};
	server->fds[PLACE_LISTENER] = (struct pollfd){.fd = listener, .events = POLLIN};
	server->len = PLACE_FIRST;
	run(server);
	/* A successor may have put its own socket there. */
	if (known && lstat(path, &now) == 0 && made.st_dev == now.st_dev &&
	    made.st_ino == now.st_ino)
		unlink(path);
	close(listener);
	finish(server);
}

bool gatepost_policy_serve(const char *path, const struct gatepost_policy_options *options,
			   gatepost_handler *handler, void *arg, struct gatepost_error *error)
{
	struct gatepost_policy *probe = gatepost_policy_new(options, error);
	struct server *server;
	int listener, signals;
	sigset_t wanted, before;

	if (!probe)
		return false;
	gatepost_policy_free(&probe);
	listener = listen_at(path, error);
	if (listener < 0)
		return false;
	server = grow_resize(NULL, sizeof *server);
	server->stopping = false;
	server->options = options;
	server->handler = handler;
	server->arg = arg;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	pthread_sigmask(SIG_BLOCK, &wanted, &before);
	signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		fail(error, "signalfd", path);
	else
		serve_listener(server, path, listener, signals);
	if (signals < 0)
		close(listener);
	if (signals >= 0) {
		struct signalfd_siginfo taken;

		/* Taken, or it would end the program once it is not blocked any more. */
		while (read(signals, &taken, sizeof taken) > 0)
			;
		close(signals);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	free(server);
	return signals >= 0;
}
