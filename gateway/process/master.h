/* master: the process that starts the others and starts them again when they die.
 *
 *      master --fork--> hub
 *             --fork--> worker 0 ... worker n-1
 *
 * It reads nothing from outside: no socket, no loop, only signals. SIGTERM and SIGINT stop the
 * workers (they finish the messages in flight), then the hub. */
#ifndef PROCESS_MASTER_H
#define PROCESS_MASTER_H

struct config;

/* Serves until it is told to stop. Returns a code after sysexits.h; faults have been logged. */
int master_serve(const struct config *config);

#endif
