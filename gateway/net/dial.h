/* dial: a socket that connects to an address. */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stdbool.h>

struct address;

/* A non-blocking, close-on-exec stream socket, for TCP with TCP_NODELAY; -1 with errno. *connected
 * is false while it is still on the way: the socket becomes writable then, and SO_ERROR tells. A
 * Unix socket whose backlog is full is EAGAIN. */
int dial(const struct address *address, bool *connected);

#endif
