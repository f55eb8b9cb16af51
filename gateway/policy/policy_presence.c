#include "policy_presence.h"

#define PRESENCE_TIME 10.0

static void presence_on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct policy_presence *presence = timer->data;

	(void)loop, (void)revents;
	presence->present = false;
	presence->on_change(presence->arg);
}

static void wait_for_it(struct policy_presence *presence)
{
	ev_timer_set(&presence->timer, PRESENCE_TIME, 0);
	ev_timer_start(presence->loop, &presence->timer);
}

void policy_presence_start(struct policy_presence *presence)
{
	ev_timer_init(&presence->timer, presence_on_timer, 0, 0);
	presence->timer.data = presence;
	wait_for_it(presence);
}

void policy_presence_fini(struct policy_presence *presence)
{
	ev_timer_stop(presence->loop, &presence->timer);
}

void policy_presence_set(struct policy_presence *presence, bool live)
{
	if (presence->live == live)
		return;
	presence->live = live;
	if (!live) {
		wait_for_it(presence);
		return;
	}
	ev_timer_stop(presence->loop, &presence->timer);
	if (presence->present)
		return;
	presence->present = true;
	presence->on_change(presence->arg);
}
