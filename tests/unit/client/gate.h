/* gate: the gateway's end of a connection to a server under test, in the same thread. */
#ifndef TESTS_CLIENT_GATE_H
#define TESTS_CLIENT_GATE_H

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gatepost/serve.h>

#include "wire.h"

#define GATE_TURNS 3000 /* of 10 ms: the test fails after them */

struct gate {
	int fd;
	char got[65536]; /* NUL-terminated */
	size_t len;
	bool eof;
};

/* Turns the server until the condition holds. `server` NULL: it runs in another process. */
#define GATE_UNTIL(server, gate, condition)                                                        \
	do {                                                                                       \
		int gate_turns = 0;                                                                \
		while (gate_pump((server), (gate)), !(condition))                                  \
			assert_true(gate_turns++ < GATE_TURNS);                                    \
	} while (0)

static inline const char *gate_path(void)
{
	static char path[64];

	if (!path[0]) /* a child has the one of its parent */
		snprintf(path, sizeof path, "/tmp/gatepost-client-%d.sock", (int)getpid());
	return path;
}

static inline void gate_dial(struct gate *gate, const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	*gate = (struct gate){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
	assert_int_equal(connect(gate->fd, (struct sockaddr *)&name, sizeof name), 0);
}

static inline void gate_say(struct gate *gate, const char *text)
{
	assert_int_equal(send(gate->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* With descriptors beside the first octet. */
static inline void gate_say_fds(struct gate *gate, const char *text, const int *fds, size_t len)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(16 * sizeof(int))];
	} control = {0};
	struct iovec piece = {.iov_base = (char *)(uintptr_t)text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = CMSG_SPACE(len * sizeof *fds)};

	control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
					  .cmsg_type = SCM_RIGHTS,
					  .cmsg_len = CMSG_LEN(len * sizeof *fds)};
	memcpy(CMSG_DATA(&control.header), fds, len * sizeof *fds);
	assert_int_equal(sendmsg(gate->fd, &message, MSG_NOSIGNAL), strlen(text));
}

static inline void gate_pump(struct gatepost_server *server, struct gate *gate)
{
	struct pollfd fd = {.fd = gate->fd, .events = POLLIN};
	ssize_t n;

	if (server)
		gatepost_server_step(server, 0);
	if (gate->eof || gate->fd < 0 || poll(&fd, 1, 10) < 1)
		return;
	assert_true(gate->len < sizeof gate->got - 1);
	n = recv(gate->fd, gate->got + gate->len, sizeof gate->got - 1 - gate->len, 0);
	gate->eof = n <= 0;
	gate->len += n > 0 ? (size_t)n : 0;
}

static inline bool gate_got(const struct gate *gate, const char *text)
{
	return strstr(gate->got, text);
}

static inline void gate_forget(struct gate *gate)
{
	memset(gate->got, 0, sizeof gate->got);
	gate->len = 0;
}

static inline void gate_close(struct gate *gate)
{
	close(gate->fd);
	gate->fd = -1;
}

/* Connected, and registered. */
static inline void gate_ready(struct gate *gate, struct gatepost_server *server)
{
	gate_dial(gate, gate_path());
	gate_say(gate, WIRE_HELLO);
	GATE_UNTIL(server, gate, gate_got(gate, "\"register\""));
	gate_say(gate, WIRE_READY(",\"hooks\":{\"mail\":{\"deadline_ms\":1000}}"));
	gate_say(gate, "{\"type\":\"ping\"}\n");
	GATE_UNTIL(server, gate, gate_got(gate, "\"pong\""));
	gate_forget(gate);
}

#endif
