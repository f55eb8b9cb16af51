/* web: what the gateway shows over HTTP.
 *
 *      /healthz    200 as long as the hub lives
 *      /readyz     200, or 503 with a line for each reason
 *      /metrics    all numbers, for Prometheus
 */
#ifndef MONITOR_WEB_H
#define MONITOR_WEB_H

#include <ev.h>

struct monitor;
struct web;

struct web_settings {
	const char *version;
	const char *(*command_word)(unsigned verb); /* see metrics_facts */
};

/* Takes over the listening descriptor; -1: nothing is shown. `monitor` (started) must outlive it,
 * and `settings` what it points at. NULL when there is nothing to serve, or no way to (logged): the
 * gateway goes on without. */
struct web *web_new(struct ev_loop *loop, int listener, struct monitor *monitor,
		    const struct web_settings *settings);
void web_free(struct web **web);

#endif
