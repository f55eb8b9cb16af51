/* peer: the other end of a socket under test, plain or TLS, driven by the same loop. */
#ifndef TESTS_NET_PEER_H
#define TESTS_NET_PEER_H

#include <ev.h>
#include <stdbool.h>

#include "base/buf.h"
#include "net/tls.h"

struct peer {
	struct ev_loop *loop;
	ev_io io;
	struct buf got, out;
	struct buf network_in, network_out;
	struct tls *tls;
	bool secure;
	bool eof;      /* of the socket */
	bool notified; /* close_notify came */
	bool deaf;     /* does not read */
	int error;
};

/* Takes fd over. */
void peer_init(struct peer *p, struct ev_loop *loop, int fd);
void peer_fini(struct peer *p);
void peer_send(struct peer *p, const char *data, size_t n);
void peer_send_string(struct peer *p, const char *text);
/* After what is in `out` has been sent. */
void peer_start_tls(struct peer *p, const char *server_name);
/* Queues close_notify. */
void peer_close_tls(struct peer *p);
void peer_hear(struct peer *p, bool hear);
/* Closes so that the other side sees a reset. */
void peer_reset(struct peer *p);
bool peer_got(const struct peer *p, const char *text);

/* Two connected TCP sockets on the loopback, non-blocking; small kernel buffers when `small`. */
void peer_tcp_pair(int fds[2], bool small);

#endif
