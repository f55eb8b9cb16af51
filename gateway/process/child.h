/* child: the processes of the gateway, as the master sees them. */
#ifndef PROCESS_CHILD_H
#define PROCESS_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/list.h"

struct config;
struct counters_slot;
struct master;

/* How far a process is on its way out. */
enum child_leave {
	CHILD_STAYS,
	CHILD_REPLACED, /* it serves until the new ones do */
	CHILD_RETIRES,	/* it takes no new client */
	CHILD_DRAINS,
};

struct child {
	struct list link; /* of one that leaves */
	pid_t pid;	  /* 0: not running */
	unsigned place;	  /* 0: the hub; n: worker n-1 */
	unsigned slot;	  /* of the worker in the shared counters and tables, while it runs */
	int channel;	  /* handover_send(); -1: none */
	enum child_leave leave;
	double started, restart_at, pause;
	double retire_time, drain_time; /* seconds that its configuration gives it */
	double kill_at;			/* when it leaves */
};

/* "hub", "worker 3" */
const char *child_name(const struct child *child, char out[32]);
/* Of a worker that runs. */
struct counters_slot *child_counters(const struct master *m, const struct child *child);
/* Forks. In the child it does not return: the process gives up its privileges, runs as hub or
 * worker and exits with its code. False (logged) when there can be no process now. */
bool child_start(struct master *m, struct child *child);
/* Whether another process of this worker can be started: they have a fixed number of slots. */
bool child_has_slot(const struct master *m, const struct child *child);
/* The process is gone: gives up what it had in the shared memory. */
void child_clear(struct master *m, struct child *child);
/* Tries in a process of its own, with the rights of a worker, whether a worker could set itself up
 * with this configuration. False after it has logged why. */
bool child_try(struct master *m, const struct config *config);

#endif
