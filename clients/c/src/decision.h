/* decision: verdicts checked and written. */
#ifndef GATEPOST_DECISION_H
#define GATEPOST_DECISION_H

#include <gatepost/policy.h>

#include "protocol/json_out.h"

/* Appends the reply line of a verdict that was checked. */
void gatepost_decision_write(struct json_out *out, uint64_t id,
			     const struct gatepost_verdict *verdict);

#endif
