/* listener: a bound socket and the connections accepted from it.
 *
 * listener_bind() runs in the master, before privileges are dropped; listener_new() in a worker.
 * Every worker has a socket of its own at the same address (SO_REUSEPORT), so none wakes for
 * another's client. Out of descriptors (EMFILE, ENFILE): accepting pauses and tries again each
 * second instead of spinning. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <ev.h>
#include <stddef.h>

#include "net/address.h"

struct listener;

/* A listening socket, close-on-exec and non-blocking; -1 with a reason that names the address in
 * `error`. A Unix socket left by a process that is gone is replaced, one that answers is not, nor
 * anything that is no socket. `reuse_port` for TCP sockets of which there will be several. */
int listener_bind(const struct address *address, bool reuse_port, char *error, size_t size);

/* Accepts from `fd` (taken over) from now on. on_accept takes over the connection's descriptor,
 * which is non-blocking, close-on-exec, and for TCP has TCP_NODELAY. */
struct listener *listener_new(struct ev_loop *loop, int fd,
			      void (*on_accept)(void *arg, int fd, const struct address *peer,
						const struct address *local),
			      void *arg);
/* Closes the socket: new clients are refused by the system. */
void listener_free(struct listener **l);

#endif
