/* status_stage: counters of a gateway that has done a little of everything. */
#ifndef TEST_MONITOR_STATUS_STAGE_H
#define TEST_MONITOR_STATUS_STAGE_H

#include "monitor/status_json.h"

struct status_stage {
	struct counters *counters;
	struct handshake_gateway gateway;
	struct event_hub_status events;
	struct status_facts facts;
};

/* Two workers, one of them replaced, a policy that has failed, two deliveries, a subscriber:
 * examples/valid/status.json. */
void status_stage_open(struct status_stage *stage);

#endif
