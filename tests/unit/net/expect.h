/* expect: cmocka, and waiting for a condition while a loop runs. */
#ifndef TESTS_NET_EXPECT_H
#define TESTS_NET_EXPECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ev.h>
#include <stdbool.h>

#define EXPECT_SECONDS 30.0

static inline void expect_on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	*(bool *)w->data = true;
}

/* Runs the loop until the condition holds; the test fails when that takes too long. */
#define RUN_UNTIL(loop, condition)                                                                 \
	do {                                                                                       \
		bool expect_late = false;                                                          \
		ev_timer expect_timer;                                                             \
		ev_now_update(loop);                                                               \
		ev_timer_init(&expect_timer, expect_on_deadline, EXPECT_SECONDS, 0.);              \
		expect_timer.data = &expect_late;                                                  \
		ev_timer_start(loop, &expect_timer);                                               \
		while (!(condition) && !expect_late) {                                             \
			ev_run(loop, EVRUN_NOWAIT); /* what is pending may be all that comes */    \
			if (!(condition))                                                          \
				ev_run(loop, EVRUN_ONCE);                                          \
		}                                                                                  \
		ev_timer_stop(loop, &expect_timer);                                                \
		assert_false(expect_late);                                                         \
	} while (0)

/* Runs the loop for a while in which nothing should happen, and tells how often it woke. */
static inline unsigned expect_turns(struct ev_loop *loop, double seconds)
{
	bool over = false;
	unsigned turns = 0;
	ev_timer timer;

	ev_now_update(loop);
	ev_timer_init(&timer, expect_on_deadline, seconds, 0.);
	timer.data = &over;
	ev_timer_start(loop, &timer);
	while (!over) {
		ev_run(loop, EVRUN_ONCE);
		turns++;
	}
	return turns;
}

#endif
