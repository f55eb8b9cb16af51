/* master: the process that starts the others and starts them again when they die.
 *
 *      master --fork--> hub
 *             --fork--> worker 0 ... worker n-1
 *
 * It reads nothing from outside: no loop, only signals, its configuration, and what the others
 * write in the shared counters.
 *
 *      SIGTERM, SIGINT   stop: not ready at once, drain_delay, then the workers finish the messages
 *                        in flight, then the hub ends. A second one skips drain_delay.
 *      SIGHUP            reload
 *      SIGUSR1           the log's file is opened anew */
#ifndef PROCESS_MASTER_H
#define PROCESS_MASTER_H

struct config;

/* Serves until it is told to stop. Takes over the configuration, which `file` was loaded as and is
 * loaded from again at a reload. Returns a code after sysexits.h; faults have been logged. */
int master_serve(const char *file, struct config *config);

#endif
