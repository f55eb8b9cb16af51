/* monitor: what the hub knows of the gateway, for those who tell it to people.
 *
 *      counters (all processes) --.
 *      event_hub ------------------+--> monitor --> http:    /readyz, /metrics
 *      a look each second ---------'            `-> control: status
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "readiness.h"
#include "shared/counters.h"

struct event_hub;

struct monitor {
	struct counters *counters; /* the first two are set by the owner */
	struct event_hub *events;
	struct readiness readiness;
	struct ev_loop *loop;
	ev_timer timer;
};

/* Looks once a second until monitor_stop(). */
void monitor_start(struct monitor *m, struct ev_loop *loop);
void monitor_stop(struct monitor *m);
/* As readiness_look(), now. */
bool monitor_is_ready(struct monitor *m, struct buf *reasons);

#endif
