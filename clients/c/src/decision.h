/* decision: verdicts checked and written. */
#ifndef GATEPOST_DECISION_H
#define GATEPOST_DECISION_H

#include <gatepost/verdict.h>

#include "protocol/json_out.h"
#include "protocol/verdict.h"

/* Appends the reply line. `hook` is HOOK_MAX where it is not known, `grants` as in handshake.h.
 * False: nothing is appended, and `error` (code "bad_reply") says which rule the verdict breaks. */
bool gatepost_decision_write(struct json_out *out, uint64_t id, enum hook hook, unsigned grants,
			     const struct gatepost_verdict *verdict, struct gatepost_error *error);
/* What goes along with the verdict, as members of the reply. False: it cannot be written. */
bool gatepost_decision_write_extras(struct json_out *out, const struct gatepost_verdict *verdict,
				    struct gatepost_error *error);

#endif
