/* worker: a process that speaks SMTP. One loop, its own listening sockets, its own connections to
 * every policy service; it shares nothing with the other workers but counters. */
#ifndef PROCESS_WORKER_H
#define PROCESS_WORKER_H

struct config;
struct runtime;

/* `number` names the worker and its listening sockets, `slot` its place in what the processes
 * share; `channel` is where the master's orders come from. Runs until it is told to leave and its
 * sessions have ended (see worker_end.h). Returns a code after sysexits.h; EX_CANTCREAT when it
 * could not set itself up and a new try would not help. */
int worker_run(struct runtime *runtime, unsigned number, unsigned slot, int channel);
/* Whether a worker could set itself up with this configuration: opens what it would, and closes it
 * again. Returns EX_OK, or another code after it has logged why. */
int worker_try(const struct config *config);

#endif
