/* child: the processes of the gateway, as the master sees them. */
#ifndef PROCESS_CHILD_H
#define PROCESS_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct runtime;

struct child {
	pid_t pid;	     /* 0: not running */
	unsigned place;	     /* 0: the hub; n: worker n-1 */
	unsigned generation; /* counts the replacements of a worker at a reload */
	double started, restart_at, pause;
};

/* "hub", "worker 3" */
const char *child_name(const struct child *child, char out[32]);
/* The worker's slot in the shared counters and tables. The old and the new worker of a reload live
 * at the same time, so they have different ones. */
unsigned child_slot(const struct child *child);
/* Forks. In the child it does not return: the process gives up its privileges, runs as hub or
 * worker and exits with its code. False (logged) when there can be no process now. */
bool child_start(struct child *child, struct runtime *runtime);

#endif
