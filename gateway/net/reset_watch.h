/* reset_watch: notices that a peer reset a connection from which nobody reads or writes at the
 * moment.
 *
 * libev reports errors only along with readability or writability. A socket whose input is full, or
 * at its end, and that has nothing to write, can ask for neither without being woken all the time.
 * Such sockets wait in an epoll set of their own that asks for no event at all: then the kernel
 * reports errors only. */
#ifndef NET_RESET_WATCH_H
#define NET_RESET_WATCH_H

#include <ev.h>
#include <stdbool.h>

struct reset_watch {
	int fd;
	bool active;
	void (*on_reset)(struct reset_watch *w, int error);
};

void reset_watch_init(struct reset_watch *w, int fd,
		      void (*on_reset)(struct reset_watch *w, int error));
/* on_reset comes from the loop, at most once a start, with the errno value. Starting twice is
 * harmless. */
void reset_watch_start(struct ev_loop *loop, struct reset_watch *w);
/* Before the descriptor is closed. Stopping twice is harmless. */
void reset_watch_stop(struct ev_loop *loop, struct reset_watch *w);

#endif
