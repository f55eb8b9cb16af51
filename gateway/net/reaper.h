/* reaper: closing is immediate, freeing waits for the end of the loop turn.
 *
 * An object that closes itself inside a callback is still on the stack of its caller. Its memory is
 * handed to the reaper, which frees it in an ev_prepare, when no callback is running. */
#ifndef NET_REAPER_H
#define NET_REAPER_H

#include <ev.h>

/* free_object(object) once the loop's current turn is over; at the latest in reaper_run(). */
void reaper_add(struct ev_loop *loop, void *object, void (*free_object)(void *object));
/* Frees all that waits, now. For the end of a process or of a test, outside any callback. */
void reaper_run(struct ev_loop *loop);

#endif
