#include "expect.h"
#include "net/reaper.h"

static int freed;

static void free_object(void *object)
{
	freed += *(int *)object;
}

static int one = 1, ten = 10;
static struct ev_loop *test_loop;

static void free_whole(void *object)
{
	freed += *(int *)object;
	reaper_add(test_loop, &one, free_object); /* a part of it */
}

static void on_next_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop, (void)w, (void)revents;
	assert_int_equal(freed, 11);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)revents;
	reaper_add(loop, &one, free_object);
	reaper_add(loop, &ten, free_object);
	assert_int_equal(freed, 0);
	ev_timer_start(loop, w->data);
}

static void test_frees_after_the_turn(void **state)
{
	(void)state;
	/* Twice: nothing of a loop that is gone is remembered. */
	for (int i = 0; i < 2; i++) {
		struct ev_loop *loop = ev_loop_new(0);
		ev_timer first, second;

		freed = 0;
		ev_timer_init(&first, on_timer, 0., 0.);
		ev_timer_init(&second, on_next_turn, 0., 0.);
		first.data = &second;
		ev_timer_start(loop, &first);
		ev_run(loop, 0);
		assert_int_equal(freed, 11);
		ev_loop_destroy(loop);
	}
}

static void test_does_not_keep_the_loop(void **state)
{
	struct ev_loop *loop = ev_loop_new(0);

	(void)state;
	freed = 0;
	test_loop = loop;
	reaper_add(loop, &ten, free_whole);
	ev_run(loop, 0);
	reaper_run(loop);
	assert_int_equal(freed, 11);
	reaper_run(loop);
	assert_int_equal(freed, 11);
	ev_loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frees_after_the_turn),
		cmocka_unit_test(test_does_not_keep_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
