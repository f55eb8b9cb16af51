/* master_state: what master, supervision and reload share; private to them.
 *
 *      worker 1:  child (takes new clients) <--> leavers (replaced by a reload, sessions go on)
 *
 * A reload starts new children beside the old ones. When all of them serve, the old ones are told
 * to retire: until then a client finds somebody, and a new one that cannot start harms nobody. */
#ifndef PROCESS_MASTER_STATE_H
#define PROCESS_MASTER_STATE_H

#include <signal.h>

#include "base/list.h"
#include "child.h"
#include "runtime.h"

/* Workers end by drain_timeout on their own; one that does not is ended. */
#define KILL_GRACE 5.0

struct master {
	struct runtime runtime;
	const char *file; /* the configuration */
	/* The hub, then the workers; room for COUNTERS_WORKERS of them. */
	struct child *children;
	size_t children_len;
	struct list leavers; /* struct child, the oldest first */
	double rotate_at, watchdog_at, watchdog;
	sigset_t signals;
	bool served;	 /* a worker has, once */
	bool stopping;	 /* by an order */
	bool reload_due; /* SIGHUP has come */
	bool reloading;	 /* not all new workers serve yet */
	double reload_began;
	int code;
};

/* Seconds of CLOCK_MONOTONIC. */
double master_now(void);
/* Waits for a signal; 0 when `seconds` are over, or sooner for the watchdog. */
int master_wait(struct master *m, double seconds);
/* Tells the service manager that the master runs, at half the time that it gives: for those who
 * wait otherwise. Returns the seconds until it is due again. */
double master_keep_watchdog(struct master *m);

#endif
