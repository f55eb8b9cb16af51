#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "delivery/io_pool.h"

struct test_job {
	struct io_job io;
	unsigned number;
	bool ran, done;
	bool in_loop_thread;
	bool signals_blocked;
	unsigned resubmits;
};

static struct ev_loop *loop;
static struct io_pool *pool;
static pthread_t loop_thread;
static atomic_uint ran;
static unsigned done, ran_order[64], done_order[64];
static ev_timer guard;
static bool one_thread; /* so that these need no lock: */
static unsigned calls;
static size_t call_sizes[64];

static void on_guard(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(l, EVBREAK_ALL);
}

static struct test_job *job_of(struct io_job *io)
{
	return list_of(io, struct test_job, io);
}

static void run_one(struct test_job *job)
{
	unsigned n = atomic_fetch_add(&ran, 1);
	sigset_t blocked;

	if (n < 64)
		ran_order[n] = job->number;
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	job->signals_blocked = sigismember(&blocked, SIGTERM) == 1 &&
			       sigismember(&blocked, SIGXFSZ) == 1 &&
			       sigismember(&blocked, SIGHUP) == 1;
	job->in_loop_thread = pthread_equal(pthread_self(), loop_thread);
	job->ran = true;
}

static void run(struct io_job *const *jobs, size_t len)
{
	assert_in_range(len, 1, IO_POOL_TOGETHER);
	if (one_thread)
		call_sizes[calls++] = len;
	for (size_t i = 0; i < len; i++)
		run_one(job_of(jobs[i]));
}

static void on_done(struct io_job *io)
{
	struct test_job *job = job_of(io);

	assert_true(job->ran);
	assert_true(pthread_equal(pthread_self(), loop_thread));
	if (done < 64)
		done_order[done] = job->number;
	done++;
	job->done = true;
	if (job->resubmits) {
		job->resubmits--;
		io_pool_submit(pool, &job->io);
		assert_true(job->done); /* not run to its end inside the call */
	}
}

static void on_done_free(struct io_job *io)
{
	assert_true(job_of(io)->ran);
	done++;
	free(job_of(io));
}

static int setup(void **state)
{
	(void)state;
	loop_thread = pthread_self();
	atomic_store(&ran, 0);
	done = calls = 0;
	one_thread = false;
	loop = ev_loop_new(EVFLAG_AUTO);
	ev_timer_init(&guard, on_guard, 20., 0.);
	ev_timer_start(loop, &guard);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ev_timer_stop(loop, &guard);
	ev_loop_destroy(loop);
	return 0;
}

static void loop_until(unsigned count)
{
	while (done < count && ev_is_active(&guard))
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(done, count);
}

static void one_thread_keeps_the_order(void **state)
{
	struct test_job jobs[64] = {0};

	(void)state;
	pool = io_pool_new(loop, 1);
	for (unsigned i = 0; i < 64; i++) {
		jobs[i].io.run = run;
		jobs[i].io.done = on_done;
		jobs[i].number = i;
		io_pool_submit(pool, &jobs[i].io);
		assert_int_equal(done, 0);
	}
	loop_until(64);
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(ran_order[i], i);
		assert_int_equal(done_order[i], i);
		assert_false(jobs[i].in_loop_thread);
		assert_true(jobs[i].signals_blocked);
	}
	io_pool_free(&pool);
	assert_null(pool);
}

static void run_others(struct io_job *const *jobs, size_t len)
{
	run(jobs, len);
}

/* What one turn of the loop submits runs together, as far as it belongs together. */
static void together(void **state)
{
	static const char group_a[] = "a", group_b[] = "b";
	static const struct {
		const void *group;
		bool others;
	} rows[] = {{group_a, false}, {group_b, false}, {group_a, false},
		    {group_a, true},  {group_b, false}, {group_a, false}};
	static const unsigned order[] = {0, 2, 5, 1, 4, 3};
	static const size_t sizes[] = {3, 2, 1};
	struct test_job jobs[6] = {0};

	(void)state;
	one_thread = true;
	pool = io_pool_new(loop, 1);
	for (unsigned i = 0; i < 6; i++) {
		jobs[i].io.run = rows[i].others ? run_others : run;
		jobs[i].io.group = rows[i].group;
		jobs[i].io.done = on_done;
		jobs[i].number = i;
		io_pool_submit(pool, &jobs[i].io);
	}
	loop_until(6);
	io_pool_free(&pool);
	assert_int_equal(calls, 3);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(ran_order[i], order[i]);
	assert_memory_equal(call_sizes, sizes, sizeof sizes);
}

static void together_up_to_a_bound(void **state)
{
	struct test_job jobs[2 * IO_POOL_TOGETHER + 2] = {0};

	(void)state;
	one_thread = true;
	pool = io_pool_new(loop, 1);
	for (unsigned i = 0; i < 2 * IO_POOL_TOGETHER + 2; i++) {
		jobs[i].io.run = run;
		jobs[i].io.done = on_done;
		io_pool_submit(pool, &jobs[i].io);
	}
	loop_until(2 * IO_POOL_TOGETHER + 2);
	io_pool_free(&pool);
	assert_int_equal(calls, 3);
	assert_int_equal(call_sizes[0], IO_POOL_TOGETHER);
	assert_int_equal(call_sizes[2], 2);
}

static void many_jobs_on_four_threads(void **state)
{
	(void)state;
	pool = io_pool_new(loop, 4);
	for (unsigned i = 0; i < 20000; i++) {
		struct test_job *job = calloc(1, sizeof *job);

		job->io.run = run;
		job->io.done = on_done_free;
		io_pool_submit(pool, &job->io);
		if (i % 1000 == 0)
			ev_run(loop, EVRUN_NOWAIT);
	}
	loop_until(20000);
	assert_int_equal(atomic_load(&ran), 20000);
	io_pool_free(&pool);
}

static void free_finishes_everything(void **state)
{
	struct test_job jobs[50] = {0};

	(void)state;
	pool = io_pool_new(loop, 3);
	for (unsigned i = 0; i < 50; i++) {
		jobs[i].io.run = run;
		jobs[i].io.done = on_done;
		jobs[i].resubmits = 3;
		io_pool_submit(pool, &jobs[i].io);
	}
	io_pool_free(&pool);
	assert_int_equal(done, 200);
	assert_int_equal(atomic_load(&ran), 200);
	ev_run(loop, EVRUN_NOWAIT); /* a wake-up that was still under way finds nobody */
	assert_int_equal(done, 200);
}

static void own_signal_mask_is_restored(void **state)
{
	sigset_t before, after;

	(void)state;
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	pool = io_pool_new(loop, 2);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	for (int i = 1; i < 32; i++)
		assert_int_equal(sigismember(&before, i), sigismember(&after, i));
	io_pool_free(&pool);
}

static void zero_threads_are_one(void **state)
{
	struct test_job job = {.io = {.run = run, .done = on_done}};

	(void)state;
	pool = io_pool_new(loop, 0);
	io_pool_submit(pool, &job.io);
	loop_until(1);
	io_pool_free(&pool);
	io_pool_free(&pool); /* nothing to do */
}

static void keeps_no_loop_alive(void **state)
{
	struct ev_loop *idle = ev_loop_new(EVFLAG_AUTO);
	struct io_pool *other = io_pool_new(idle, 1);

	(void)state;
	assert_int_equal(ev_run(idle, 0), 0); /* would hang */
	io_pool_free(&other);
	ev_loop_destroy(idle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_thread_keeps_the_order, setup, teardown),
		cmocka_unit_test_setup_teardown(together, setup, teardown),
		cmocka_unit_test_setup_teardown(together_up_to_a_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(many_jobs_on_four_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(free_finishes_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(own_signal_mask_is_restored, setup, teardown),
		cmocka_unit_test_setup_teardown(zero_threads_are_one, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_no_loop_alive, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
