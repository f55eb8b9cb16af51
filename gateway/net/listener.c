#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "reaper.h"

#define BACKLOG		4096 /* the kernel caps it at net.core.somaxconn */
#define ACCEPT_TURN_MAX 64   /* a burst of clients must not starve the sessions there are */
#define ACCEPT_RETRY                                                                               \
	1.0 /* seconds to wait for a free descriptor; without it the loop would spin               \
	     */
#define UNIX_SOCKET_MODE 0660 /* owner and group: who may send mail is the file's permissions */

struct listener {
	struct ev_loop *loop;
	ev_io io;
	ev_timer retry;
	struct address local;
	bool is_any;  /* bound to 0.0.0.0 or [::] */
	bool starved; /* said so in the log */
	bool closed;
	void (*on_accept)(void *arg, int fd, const struct address *peer,
			  const struct address *local);
	void *arg;
};

static const char *unix_path(const struct address *address)
{
	return ((const struct sockaddr_un *)&address->storage)->sun_path;
}

/* What to do about it, for the errors that operators meet. */
static const char *advice(const struct address *address, int error)
{
	bool is_unix = address_is_unix(address);

	switch (error) {
	case EADDRINUSE:
		return "; stop what listens there (ss -ltnp names it) or take another address";
	case EADDRNOTAVAIL:
		return "; this machine has no such address (ip addr shows those it has)";
	case EACCES:
	case EPERM:
		return is_unix ? "; the account that starts gatepost must be able to write in the "
				 "directory"
			       : "; ports below 1024 need root or CAP_NET_BIND_SERVICE";
	case ENOENT:
	case ENOTDIR:
		return is_unix ? "; make the directory first" : "";
	default:
		return "";
	}
}

/* `why`, or NULL: errno. */
static int refuse(int fd, const struct address *address, const char *why, char *error, size_t size)
{
	int number = errno;
	const char *hint = why ? "" : advice(address, number);
	char ip[ADDRESS_IP_SIZE];

	address_ip(address, ip);
	if (!why)
		why = strerror(number);
	if (address_is_unix(address))
		snprintf(error, size, "cannot listen on unix:%s: %s%s", unix_path(address), why,
			 hint);
	else
		snprintf(error, size,
			 strchr(ip, ':') ? "cannot listen on [%s]:%u: %s%s"
					 : "cannot listen on %s:%u: %s%s",
			 ip, address_port(address), why, hint);
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool answers(const struct address *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* EAGAIN: its backlog is full, so somebody is there. */
	bool is = fd < 0 ||
		  !connect(fd, (const struct sockaddr *)&address->storage, address->len) ||
		  errno != ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return is;
}

/* Makes way for a Unix socket. False with why not in *why; NULL there: errno. */
static bool clear_path(const struct address *address, const char **why)
{
	struct stat file;

	*why = NULL;
	if (lstat(unix_path(address), &file))
		return errno == ENOENT;
	if (!S_ISSOCK(file.st_mode))
		*why = "there is a file of that name that is no socket; remove it";
	else if (answers(address))
		*why = "another process is listening there; stop it or take another path";
	return !*why && !unlink(unix_path(address));
}

static bool set_on(int fd, int level, int option)
{
	int on = 1;

	return !setsockopt(fd, level, option, &on, sizeof on);
}

static bool bind_unix(int fd, const struct address *address)
{
	/* The mode the file is born with, so it is never open to all; then exactly, whatever the
	 * umask. */
	return !fchmod(fd, UNIX_SOCKET_MODE) &&
	       !bind(fd, (const struct sockaddr *)&address->storage, address->len) &&
	       !chmod(unix_path(address), UNIX_SOCKET_MODE);
}

static bool bind_tcp(int fd, const struct address *address, bool reuse_port)
{
	return set_on(fd, SOL_SOCKET, SO_REUSEADDR) &&
	       (!reuse_port || set_on(fd, SOL_SOCKET, SO_REUSEPORT)) &&
	       /* [::] means IPv6 only: 0.0.0.0 is a listener of its own. */
	       (address->storage.ss_family != AF_INET6 || set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY)) &&
	       !bind(fd, (const struct sockaddr *)&address->storage, address->len);
}

int listener_bind(const struct address *address, bool reuse_port, char *error, size_t size)
{
	bool is_unix = address_is_unix(address);
	const char *why;
	int fd;

	if (is_unix && !clear_path(address, &why))
		return refuse(-1, address, why, error, size);
	fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || !(is_unix ? bind_unix(fd, address) : bind_tcp(fd, address, reuse_port)) ||
	    listen(fd, BACKLOG))
		return refuse(fd, address, NULL, error, size);
	return fd;
}

int listener_bind_beside(int first, char *error, size_t size)
{
	struct address address = {.len = sizeof address.storage};

	/* The first one was bound without it, so that another program's socket at the address is
	 * a fault and not a partner. */
	if (getsockname(first, (struct sockaddr *)&address.storage, &address.len) ||
	    !set_on(first, SOL_SOCKET, SO_REUSEPORT)) {
		snprintf(error, size, "cannot share a listening socket: %s", strerror(errno));
		return -1;
	}
	return listener_bind(&address, true, error, size);
}

int listener_copy(int fd, const char *name, char *error, size_t size)
{
	int listens = 0, type = 0, copy;
	socklen_t len = sizeof listens;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) || !listens || type != SOCK_STREAM) {
		snprintf(error, size,
			 "%s: is no stream socket that listens (in its socket unit: "
			 "ListenStream= and Accept=no)",
			 name);
		return -1;
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0 || fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK)) {
		snprintf(error, size, "%s: %s", name, strerror(errno));
		if (copy >= 0)
			close(copy);
		return -1;
	}
	return copy;
}

static void pause_accepting(struct listener *l, int error)
{
	if (!l->starved)
		log_warning("no more connections can be accepted for now, trying each second: %s",
			    strerror(error));
	l->starved = true;
	ev_io_stop(l->loop, &l->io);
	ev_timer_set(&l->retry, ACCEPT_RETRY, 0.); /* a timer that has run out is at 0 */
	ev_timer_start(l->loop, &l->retry);
}

static bool is_any(const struct address *address)
{
	static const unsigned char zeros[16];
	const unsigned char *octets;
	unsigned n = address_octets(address, &octets);

	return n && !memcmp(octets, zeros, n);
}

static void hand_over(struct listener *l, int fd, const struct address *peer)
{
	struct address local = {.len = sizeof local.storage};

	/* A listener on 0.0.0.0 learns only here which address the client called. */
	if (!l->is_any || getsockname(fd, (struct sockaddr *)&local.storage, &local.len))
		local = l->local;
	l->on_accept(l->arg, fd, peer, &local);
}

/* At most `n` clients; false when there are no more for now. */
static bool accept_some(struct listener *l, int n)
{
	for (int i = 0; i < n && !l->closed; i++) {
		struct address peer = {.len = sizeof peer.storage};
		int fd = accept4(l->io.fd, (struct sockaddr *)&peer.storage, &peer.len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			l->starved = false;
			hand_over(l, fd, &peer);
		} else if (errno == EAGAIN) {
			return false;
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			   errno == ENOMEM) {
			pause_accepting(l, errno);
			return false;
		} /* else that one client is gone again (ECONNABORTED and the like) */
	}
	return true;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	accept_some(w->data, ACCEPT_TURN_MAX);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct listener *l = w->data;

	(void)revents;
	ev_io_start(loop, &l->io);
}

struct listener *listener_new(struct ev_loop *loop, int fd,
			      void (*on_accept)(void *arg, int fd, const struct address *peer,
						const struct address *local),
			      void *arg)
{
	struct listener *l = mem_new(sizeof *l);

	l->loop = loop;
	l->on_accept = on_accept;
	l->arg = arg;
	l->local.len = sizeof l->local.storage;
	getsockname(fd, (struct sockaddr *)&l->local.storage, &l->local.len);
	l->is_any = is_any(&l->local);
	/* Linux hands the option on to accepted sockets. Replies are written whole; waiting for the
	 * client's ACK (Nagle) would only delay the second of two. */
	if (!address_is_unix(&l->local))
		set_on(fd, IPPROTO_TCP, TCP_NODELAY);
	ev_io_init(&l->io, on_readable, fd, EV_READ);
	ev_timer_init(&l->retry, on_retry, ACCEPT_RETRY, 0.);
	l->io.data = l->retry.data = l;
	ev_io_start(loop, &l->io);
	return l;
}

void listener_free(struct listener **listener)
{
	struct listener *l = *listener;

	if (!l)
		return;
	*listener = NULL;
	l->closed = true;
	ev_io_stop(l->loop, &l->io);
	ev_timer_stop(l->loop, &l->retry);
	close(l->io.fd);
	reaper_add(l->loop, l, free);
}

void listener_finish(struct listener **listener)
{
	/* No more than fit into a queue: under a flood the rest is for whoever has the socket next.
	 */
	if (*listener)
		accept_some(*listener, BACKLOG);
	listener_free(listener);
}
