#include "delivery/io_pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

struct io_pool {
	struct ev_loop *loop;
	ev_async wake;
	/* The loop thread's own: */
	ev_prepare turn;
	struct list fresh; /* submitted in this turn of the loop */
	size_t unfinished; /* submitted and not yet done */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t has_waiting;
	pthread_cond_t has_finished;
	struct list waiting;
	struct list finished;
	bool stop;

	unsigned threads_len;
	pthread_t threads[];
};

static struct io_job *take_first(struct list *jobs)
{
	struct io_job *job = list_of(jobs->next, struct io_job, link);

	list_remove(&job->link);
	return job;
}

/* The first and those that can run with it. */
static size_t take_together(struct list *waiting, struct io_job **jobs)
{
	size_t n = 0;

	list_each(at, after, waiting)
	{
		struct io_job *job = list_of(at, struct io_job, link);

		if (n == IO_POOL_TOGETHER)
			break;
		if (n && (job->run != jobs[0]->run || job->group != jobs[0]->group))
			continue;
		list_remove(at);
		jobs[n++] = job;
	}
	return n;
}

static void *run_jobs(void *arg)
{
	struct io_pool *pool = arg;
	struct io_job *jobs[IO_POOL_TOGETHER];
	size_t n;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (list_empty(&pool->waiting) && !pool->stop)
			pthread_cond_wait(&pool->has_waiting, &pool->lock);
		if (list_empty(&pool->waiting))
			break;
		n = take_together(&pool->waiting, jobs);
		if (!list_empty(&pool->waiting))
			pthread_cond_signal(&pool->has_waiting);
		pthread_mutex_unlock(&pool->lock);
		jobs[0]->run(jobs, n);
		pthread_mutex_lock(&pool->lock);
		for (size_t i = 0; i < n; i++)
			list_append(&pool->finished, &jobs[i]->link);
		pthread_cond_signal(&pool->has_finished);
		ev_async_send(pool->loop, &pool->wake);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* What one turn of the loop submitted goes to the threads as a whole, with one of them woken: they
 * would else begin with the first job while its company is still on the way. */
static void pass_fresh(struct io_pool *pool)
{
	if (list_empty(&pool->fresh))
		return;
	pthread_mutex_lock(&pool->lock);
	while (!list_empty(&pool->fresh))
		list_append(&pool->waiting, &take_first(&pool->fresh)->link);
	pthread_cond_signal(&pool->has_waiting);
	pthread_mutex_unlock(&pool->lock);
}

/* Only what is finished now: jobs that done() submits wait for the next turn, so the loop is never
 * held here. */
static void finish_jobs(struct io_pool *pool)
{
	struct list now;

	list_init(&now);
	pthread_mutex_lock(&pool->lock);
	while (!list_empty(&pool->finished))
		list_append(&now, &take_first(&pool->finished)->link);
	pthread_mutex_unlock(&pool->lock);
	while (!list_empty(&now)) {
		struct io_job *job = take_first(&now);

		pool->unfinished--;
		job->done(job);
	}
}

static void io_pool_on_finished(struct ev_loop *loop, ev_async *w, int revents)
{
	(void)loop;
	(void)revents;
	finish_jobs(w->data);
}

static void io_pool_on_turn(struct ev_loop *loop, ev_prepare *w, int revents)
{
	(void)loop;
	(void)revents;
	pass_fresh(w->data);
}

/* Signals are the loop thread's: a handler or signalfd there must not miss one that a pool thread
 * took. */
static void start_threads(struct io_pool *pool, unsigned threads)
{
	sigset_t all, before;
	int failed = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (pool->threads_len < threads && !failed) {
		failed = pthread_create(&pool->threads[pool->threads_len], NULL, run_jobs, pool);
		if (!failed)
			pool->threads_len++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!failed)
		return;
	log_error("only %u of %u disk threads: %s", pool->threads_len, threads, strerror(failed));
	if (!pool->threads_len)
		exit(EXIT_FAILURE);
}

struct io_pool *io_pool_new(struct ev_loop *loop, unsigned threads)
{
	struct io_pool *pool;

	threads = threads ? threads : 1;
	pool = mem_new(sizeof *pool + threads * sizeof pool->threads[0]);
	pool->loop = loop;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->has_waiting, NULL);
	pthread_cond_init(&pool->has_finished, NULL);
	list_init(&pool->fresh);
	list_init(&pool->waiting);
	list_init(&pool->finished);
	ev_async_init(&pool->wake, io_pool_on_finished);
	pool->wake.data = pool;
	ev_async_start(loop, &pool->wake);
	ev_unref(loop);
	/* The last before the loop waits: no other watcher can submit after it. */
	ev_prepare_init(&pool->turn, io_pool_on_turn);
	ev_set_priority(&pool->turn, EV_MINPRI);
	pool->turn.data = pool;
	ev_prepare_start(loop, &pool->turn);
	ev_unref(loop);
	start_threads(pool, threads);
	return pool;
}

void io_pool_submit(struct io_pool *pool, struct io_job *job)
{
	pool->unfinished++;
	list_append(&pool->fresh, &job->link);
}

static void wait_until_idle(struct io_pool *pool)
{
	while (pool->unfinished) {
		pass_fresh(pool);
		pthread_mutex_lock(&pool->lock);
		while (list_empty(&pool->finished))
			pthread_cond_wait(&pool->has_finished, &pool->lock);
		pthread_mutex_unlock(&pool->lock);
		finish_jobs(pool);
	}
}

void io_pool_free(struct io_pool **pool_at)
{
	struct io_pool *pool = *pool_at;

	if (!pool)
		return;
	wait_until_idle(pool);
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->has_waiting);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->threads_len; i++)
		pthread_join(pool->threads[i], NULL);
	ev_ref(pool->loop);
	ev_async_stop(pool->loop, &pool->wake);
	ev_ref(pool->loop);
	ev_prepare_stop(pool->loop, &pool->turn);
	pthread_cond_destroy(&pool->has_finished);
	pthread_cond_destroy(&pool->has_waiting);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
	*pool_at = NULL;
}
