/* worker: a process that speaks SMTP. One loop, its own listening sockets, its own connections to
 * every policy service; it shares nothing with the other workers but counters. */
#ifndef PROCESS_WORKER_H
#define PROCESS_WORKER_H

struct runtime;

/* `number` names the worker and its listening sockets, `slot` its place in what the processes
 * share. Runs until SIGTERM and the end of the sessions that have a message in flight. Returns a
 * code after sysexits.h; EX_CANTCREAT when it could not set itself up and a new try would not help.
 */
int worker_run(struct runtime *runtime, unsigned number, unsigned slot);

#endif
