/* supervise: starts the gateway's processes, starts those again that die, and sees those off that
 * leave. */
#ifndef PROCESS_SUPERVISE_H
#define PROCESS_SUPERVISE_H

#include <stdbool.h>

struct child;
struct master;

/* Makes the list of the children that the configuration wants; those beyond are gone already. */
void supervise_set_children(struct master *m, unsigned workers);
/* Starts what is due and ends whose time is over. Returns the seconds until there is more of it. */
double supervise_turn(struct master *m);
/* Looks who has ended. False when the gateway cannot go on. */
bool supervise_reap(struct master *m);
/* All children run and take clients. */
bool supervise_all_serve(const struct master *m);
/* A worker that runs leaves when the new ones serve; its place is free for another. */
void supervise_replace(struct master *m, struct child *child);
/* Those who leave go one step further: they take no new client, or they are told to end. Without
 * effect on one that is as far already. */
void supervise_retire(struct child *leaver);
void supervise_drain(struct child *leaver);
/* Tells every child, the hub too. `fd` -1: none. */
void supervise_tell(struct master *m, const char *text, int fd);
/* Ends all workers, then the hub. */
void supervise_stop(struct master *m);

#endif
