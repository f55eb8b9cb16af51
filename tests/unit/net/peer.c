#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEER_MAX 67108864

static void watch(struct peer *p)
{
	size_t waiting = p->tls ? p->network_out.len : p->out.len;
	int events = (!p->deaf && !p->eof ? EV_READ : 0) | (waiting ? EV_WRITE : 0);

	if (p->io.fd < 0)
		return;
	ev_io_stop(p->loop, &p->io);
	ev_io_set(&p->io, p->io.fd, events);
	if (events)
		ev_io_start(p->loop, &p->io);
}

static void step_tls(struct peer *p)
{
	enum tls_result result;

	if (!p->tls)
		return;
	if (!p->secure)
		p->secure = tls_handshake(p->tls) == TLS_OK;
	if (!p->secure)
		return;
	result = tls_read(p->tls, &p->got);
	if (result == TLS_CLOSED)
		p->notified = true;
	if (result == TLS_FAILED)
		p->error = EPROTO;
	tls_write(p->tls, &p->out);
}

static void send_some(struct peer *p)
{
	struct buf *out = p->tls ? &p->network_out : &p->out;
	ssize_t n = out->len ? send(p->io.fd, buf_head(out), out->len, MSG_NOSIGNAL) : 0;

	if (n >= 0)
		buf_consume(out, (size_t)n);
	else if (errno != EAGAIN)
		p->error = errno;
	if (p->error)
		buf_consume(out, out->len);
}

static void read_some(struct peer *p)
{
	struct buf *in = p->tls ? &p->network_in : &p->got;
	size_t room;
	char *space = buf_space(in, 65536, &room);
	ssize_t n = recv(p->io.fd, space, room, 0);

	if (n > 0)
		buf_added(in, (size_t)n);
	else if (n == 0 || errno != EAGAIN)
		p->eof = true;
	if (n < 0 && errno != EAGAIN)
		p->error = errno;
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct peer *p = w->data;

	(void)loop;
	if (revents & EV_READ)
		read_some(p);
	step_tls(p);
	send_some(p);
	watch(p);
}

void peer_init(struct peer *p, struct ev_loop *loop, int fd)
{
	*p = (struct peer){.loop = loop};
	buf_init(&p->got, PEER_MAX);
	buf_init(&p->out, PEER_MAX);
	buf_init(&p->network_in, PEER_MAX);
	buf_init(&p->network_out, PEER_MAX);
	ev_io_init(&p->io, on_io, fd, 0);
	p->io.data = p;
	watch(p);
}

void peer_fini(struct peer *p)
{
	ev_io_stop(p->loop, &p->io);
	if (p->io.fd >= 0)
		close(p->io.fd);
	p->io.fd = -1;
	tls_free(&p->tls);
	buf_fini(&p->got);
	buf_fini(&p->out);
	buf_fini(&p->network_in);
	buf_fini(&p->network_out);
}

void peer_send(struct peer *p, const char *data, size_t n)
{
	buf_append(&p->out, data, n);
	step_tls(p);
	watch(p);
}

void peer_send_string(struct peer *p, const char *text)
{
	peer_send(p, text, strlen(text));
}

void peer_start_tls(struct peer *p, const char *server_name)
{
	p->tls = tls_new_client(server_name, &p->network_in, &p->network_out);
	step_tls(p);
	watch(p);
}

void peer_close_tls(struct peer *p)
{
	tls_close(p->tls);
	watch(p);
}

void peer_hear(struct peer *p, bool hear)
{
	p->deaf = !hear;
	watch(p);
}

void peer_reset(struct peer *p)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(p->io.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	ev_io_stop(p->loop, &p->io);
	close(p->io.fd);
	p->io.fd = -1;
}

bool peer_got(const struct peer *p, const char *text)
{
	return p->got.len == strlen(text) && !memcmp(buf_head(&p->got), text, p->got.len);
}

static void set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof value))
		abort();
}

void peer_tcp_pair(int fds[2], bool small)
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	socklen_t length = sizeof name;
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (small) {
		set(listening, SOL_SOCKET, SO_RCVBUF, 4096);
		set(listening, SOL_SOCKET, SO_SNDBUF, 4096);
		set(fds[1], SOL_SOCKET, SO_RCVBUF, 4096);
		set(fds[1], SOL_SOCKET, SO_SNDBUF, 4096);
	}
	if (bind(listening, (struct sockaddr *)&name, sizeof name) || listen(listening, 1) ||
	    getsockname(listening, (struct sockaddr *)&name, &length) ||
	    connect(fds[1], (struct sockaddr *)&name, sizeof name))
		abort();
	fds[0] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fds[0] < 0 || fcntl(fds[1], F_SETFL, O_NONBLOCK))
		abort();
	set(fds[0], IPPROTO_TCP, TCP_NODELAY, 1);
	close(listening);
}
