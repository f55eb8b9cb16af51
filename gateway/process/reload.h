/* reload: the configuration is read again (SIGHUP) and new workers take over from the old ones. */
#ifndef PROCESS_RELOAD_H
#define PROCESS_RELOAD_H

struct master;

/* Does what is due: begins a reload that was asked for, and lets the old workers go when the new
 * ones serve. */
void reload_turn(struct master *m);

#endif
