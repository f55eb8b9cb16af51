/* listener: a bound socket and the connections accepted from it.
 *
 * listener_bind() runs in the master, before privileges are dropped; listener_new() in a worker.
 * Every worker has a socket of its own at the same address (SO_REUSEPORT), so none wakes for
 * another's client. A socket that is closed takes the clients in its queue with it, so sockets
 * outlive the workers. Out of descriptors (EMFILE, ENFILE): accepting pauses and tries again each
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
/* One more socket at the address of `first`, a TCP socket of this process that listens. */
int listener_bind_beside(int first, char *error, size_t size);
/* A copy of a listening stream socket that somebody else has bound; `name` is for the error. */
int listener_copy(int fd, const char *name, char *error, size_t size);

/* Accepts from `fd` (taken over) from now on. on_accept takes over the connection's descriptor,
 * which is non-blocking, close-on-exec, and for TCP has TCP_NODELAY. */
struct listener *listener_new(struct ev_loop *loop, int fd,
			      void (*on_accept)(void *arg, int fd, const struct address *peer,
						const struct address *local),
			      void *arg);
/* Closes the socket: where no other process has it, the clients in its queue are reset and new ones
 * refused by the system. */
void listener_free(struct listener **l);
/* The same, but accepts first who is in the queue: each comes by on_accept before this returns. */
void listener_finish(struct listener **l);

#endif
