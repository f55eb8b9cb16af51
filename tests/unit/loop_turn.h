/* loop_turn: one turn of a loop, for tests that wait for a condition. */
#ifndef TEST_LOOP_TURN_H
#define TEST_LOOP_TURN_H

#include <ev.h>

static inline void loop_turn_on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)timer, (void)events;
}

/* Waits at most so many seconds for something to do. */
static inline void loop_turn(struct ev_loop *loop, double seconds)
{
	ev_timer timer;

	ev_timer_init(&timer, loop_turn_on_timer, seconds, 0.);
	ev_timer_start(loop, &timer);
	ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &timer);
}

#endif
