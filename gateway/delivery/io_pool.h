/* io_pool: threads for calls that may block on a disk.
 *
 *      loop thread                        pool threads
 *      io_pool_submit --> waiting list --> job->run (of all that wait)
 *      job->done      <-- finished list <-- (ev_async)
 *
 * write() and fsync() have no non-blocking form on regular files, so they run here and the loop
 * never waits for them. A job belongs to the pool from submit to done; run() may touch only what
 * the job holds. */
#ifndef DELIVERY_IO_POOL_H
#define DELIVERY_IO_POOL_H

#include <ev.h>
#include <stddef.h>

#include "base/list.h"

#define IO_POOL_TOGETHER 64

struct io_pool;

struct io_job {
	/* In a pool thread: this job and those that waited with it and have the same `run` and
	 * `group`, at most IO_POOL_TOGETHER, in the order they were submitted. */
	void (*run)(struct io_job *const *jobs, size_t len);
	const void *group; /* whatever tells apart jobs that cannot run together */
	/* In the loop's thread; may free the job and submit others. */
	void (*done)(struct io_job *job);
	struct list link; /* the pool's own */
};

/* Starts `threads` threads (at least 1) with all signals blocked. The watcher keeps no loop alive.
 * Fewer threads than asked for are logged; when not one can be made, the process ends. */
struct io_pool *io_pool_new(struct ev_loop *loop, unsigned threads);
/* Queues the job for the end of this turn of the loop; run() and done() follow, done() always from
 * the loop, never inside this call. */
void io_pool_submit(struct io_pool *pool, struct io_job *job);
/* Runs everything queued to its end, done() included and what done() submits, then stops the
 * threads; sets the pointer to NULL. Not to be called from a done(). */
void io_pool_free(struct io_pool **pool);

#endif
