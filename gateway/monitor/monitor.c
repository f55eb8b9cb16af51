#include "monitor.h"

#include <stddef.h>

#include "base/clock.h"

#define LOOK_SECONDS 1.0

bool monitor_is_ready(struct monitor *m, struct buf *reasons)
{
	return readiness_look(&m->readiness, m->counters, clock_seconds(), reasons);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	monitor_is_ready(timer->data, NULL);
}

void monitor_start(struct monitor *m, struct ev_loop *loop)
{
	m->loop = loop;
	ev_timer_init(&m->timer, on_timer, LOOK_SECONDS, LOOK_SECONDS);
	m->timer.data = m;
	ev_timer_start(loop, &m->timer);
	monitor_is_ready(m, NULL);
}

void monitor_stop(struct monitor *m)
{
	ev_timer_stop(m->loop, &m->timer);
}
