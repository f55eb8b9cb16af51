#include "order.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/handover.h"

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct order *o = io->data;
	char text[HANDOVER_TEXT_MAX + 1];
	bool gone = false;
	int fd;

	(void)events;
	while (handover_receive(io->fd, text, &fd, &gone)) {
		if (strcmp(text, "log") == 0 && fd >= 0) {
			log_use(fd);
			continue;
		}
		if (fd >= 0)
			close(fd);
		o->on_order(o->arg, text);
	}
	/* A master that dies ends its children by a signal. */
	if (gone)
		ev_io_stop(loop, io);
}

void order_start(struct order *o, struct ev_loop *loop, int channel,
		 void (*on_order)(void *arg, const char *text), void *arg)
{
	o->on_order = on_order;
	o->arg = arg;
	ev_io_init(&o->io, on_readable, channel, EV_READ);
	o->io.data = o;
	ev_io_start(loop, &o->io);
}

void order_stop(struct order *o, struct ev_loop *loop)
{
	ev_io_stop(loop, &o->io);
	close(o->io.fd);
}

void order_watch_term(struct ev_loop *loop, ev_signal *term)
{
	sigset_t set;

	ev_signal_start(loop, term);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}
