#include "fake_service.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

#define FAKE_REQUEST "\"type\":\"request\""

static long id_of(const char *line)
{
	const char *id = strstr(line, "\"id\":");

	return id ? strtol(id + 5, NULL, 10) : 0;
}

static void send_to(struct fake_peer *peer, const char *data, size_t len)
{
	while (len && peer->fd >= 0) {
		ssize_t n = send(peer->fd, data, len, MSG_NOSIGNAL);

		if (n < 0) {
			assert(errno == EPIPE || errno == ECONNRESET);
			return;
		}
		data += n;
		len -= (size_t)n;
	}
}

static void answer_to(struct fake_peer *peer, const char *text, long id)
{
	char number[32];
	const char *mark;

	snprintf(number, sizeof number, "%ld", id);
	while ((mark = strstr(text, "ID"))) {
		send_to(peer, text, (size_t)(mark - text));
		send_to(peer, number, strlen(number));
		text = mark + 2;
	}
	send_to(peer, text, strlen(text));
}

static void take_line(struct fake_peer *peer, const char *line, size_t len)
{
	struct fake_service *fake = peer->service;
	char *copy = mem_copy_bytes(line, len);

	fake->lines = mem_resize(fake->lines, (fake->lines_len + 1) * sizeof(char *));
	fake->lines[fake->lines_len++] = copy;
	if (fake->registration && strstr(copy, "\"type\":\"hello\""))
		send_to(peer, fake->registration, strlen(fake->registration));
	if (!fake->deaf && strstr(copy, "\"type\":\"ping\""))
		send_to(peer, "{\"type\":\"pong\"}\n", 16);
	if (fake->reply && strstr(copy, FAKE_REQUEST) && id_of(copy))
		answer_to(peer, fake->reply, id_of(copy));
}

static void peer_close(struct fake_peer *peer)
{
	if (peer->fd < 0)
		return;
	ev_io_stop(peer->service->loop, &peer->io);
	close(peer->fd);
	peer->fd = -1;
	free(peer->partial);
	peer->partial = NULL;
	peer->partial_len = 0;
}

static void keep_fd(struct fake_service *fake, int fd)
{
	assert(fake->fds_len < FAKE_FDS_MAX);
	fake->fds[fake->fds_len++] = fd;
}

static ssize_t receive(struct fake_peer *peer, char *data, size_t size)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec piece = {.iov_base = data, .iov_len = size};
	struct msghdr message = {.msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = sizeof control.space};
	ssize_t n = recvmsg(peer->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;

	if (header && header->cmsg_type == SCM_RIGHTS) {
		int fd;

		memcpy(&fd, CMSG_DATA(header), sizeof fd);
		keep_fd(peer->service, fd);
	}
	return n;
}

static void peer_on_input(struct ev_loop *loop, ev_io *io, int revents)
{
	struct fake_peer *peer = io->data;
	static char data[262144];
	char *lf, *start;
	ssize_t n = receive(peer, data, sizeof data);

	(void)loop;
	(void)revents;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		peer_close(peer);
		return;
	}
	peer->partial = mem_resize(peer->partial, peer->partial_len + (size_t)n);
	memcpy(peer->partial + peer->partial_len, data, (size_t)n);
	peer->partial_len += (size_t)n;
	start = peer->partial;
	while ((lf = memchr(start, '\n', peer->partial_len))) {
		take_line(peer, start, (size_t)(lf - start));
		peer->partial_len -= (size_t)(lf + 1 - start);
		start = lf + 1;
	}
	memmove(peer->partial, start, peer->partial_len);
}

static void fake_on_accept(struct ev_loop *loop, ev_io *io, int revents)
{
	struct fake_service *fake = io->data;
	struct fake_peer *peer = &fake->peers[fake->peers_len % FAKE_PEERS_MAX];

	(void)revents;
	peer_close(peer);
	peer->fd = accept4(fake->fd, NULL, NULL, SOCK_CLOEXEC);
	assert(peer->fd >= 0);
	fake->peers_len++;
	ev_io_init(&peer->io, peer_on_input, peer->fd, EV_READ);
	peer->io.data = peer;
	ev_io_start(loop, &peer->io);
}

void fake_init(struct fake_service *fake, struct ev_loop *loop, const char *path)
{
	*fake = (struct fake_service){.loop = loop, .path = path, .fd = -1};
	for (size_t i = 0; i < FAKE_PEERS_MAX; i++)
		fake->peers[i] = (struct fake_peer){.service = fake, .fd = -1};
}

void fake_listen(struct fake_service *fake)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	assert(strlen(fake->path) < sizeof address.sun_path);
	memcpy(address.sun_path, fake->path, strlen(fake->path));
	fake->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(fake->fd, (struct sockaddr *)&address, sizeof address) || listen(fake->fd, 16))
		abort();
	ev_io_init(&fake->io, fake_on_accept, fake->fd, EV_READ);
	fake->io.data = fake;
	ev_io_start(fake->loop, &fake->io);
}

void fake_hang_up(struct fake_service *fake)
{
	for (size_t i = 0; i < FAKE_PEERS_MAX; i++)
		peer_close(&fake->peers[i]);
}

void fake_stop(struct fake_service *fake)
{
	fake_hang_up(fake);
	if (fake->fd < 0)
		return;
	ev_io_stop(fake->loop, &fake->io);
	close(fake->fd);
	unlink(fake->path);
	fake->fd = -1;
}

void fake_fini(struct fake_service *fake)
{
	fake_stop(fake);
	for (size_t i = 0; i < fake->lines_len; i++)
		free(fake->lines[i]);
	free(fake->lines);
	for (size_t i = 0; i < fake->fds_len; i++)
		close(fake->fds[i]);
}

static struct fake_peer *newest(struct fake_service *fake)
{
	assert(fake->peers_len);
	return &fake->peers[(fake->peers_len - 1) % FAKE_PEERS_MAX];
}

void fake_pause(struct fake_service *fake, bool pause)
{
	struct fake_peer *peer = newest(fake);

	if (pause)
		ev_io_stop(fake->loop, &peer->io);
	else
		ev_io_start(fake->loop, &peer->io);
}

void fake_send(struct fake_service *fake, const char *data, size_t len)
{
	send_to(newest(fake), data, len);
}

void fake_answer(struct fake_service *fake, const char *text, long id)
{
	answer_to(newest(fake), text, id);
}

const char *fake_line(const struct fake_service *fake, const char *words, size_t n)
{
	for (size_t i = 0; i < fake->lines_len; i++)
		if (strstr(fake->lines[i], words) && !n--)
			return fake->lines[i];
	return NULL;
}

size_t fake_count(const struct fake_service *fake, const char *words)
{
	size_t n = 0;

	while (fake_line(fake, words, n))
		n++;
	return n;
}

long fake_id(const struct fake_service *fake, size_t n)
{
	const char *line = fake_line(fake, FAKE_REQUEST, n);

	return line ? id_of(line) : 0;
}
