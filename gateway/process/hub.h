/* hub: the process that serves the event channel. */
#ifndef PROCESS_HUB_H
#define PROCESS_HUB_H

struct runtime;

/* Runs until SIGTERM; `channel` is where the master's orders come from. Returns a code after
 * sysexits.h. */
int hub_run(struct runtime *runtime, int channel);

#endif
