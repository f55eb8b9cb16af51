/* status_json: what the gateway does, as one line for `gatepost status` (PROTOCOL.md, "Status").
 *
 * A function of the shared counters and of what is given along; it has no clock of its own. */
#ifndef MONITOR_STATUS_JSON_H
#define MONITOR_STATUS_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "events/event_hub.h"
#include "protocol/handshake.h"
#include "protocol/json_out.h"
#include "shared/counters.h"

struct status_facts {
	const struct handshake_gateway *gateway;
	struct counters *counters;
	const struct event_hub_status *events;
	bool ready;
	struct octets reasons; /* as readiness_look() writes them */
	const char *time;      /* RFC 3339 */
	uint64_t seconds;      /* since 1970 */
	uint64_t clock_ms;     /* CLOCK_MONOTONIC */
};

/* Appends the line with its LF. */
void status_json(struct json_out *out, const struct status_facts *facts);

#endif
