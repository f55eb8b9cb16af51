/* policy_blame: lines of a service that are of no use: counted, and told to whoever reads events
 * and to the service's author. */
#ifndef POLICY_POLICY_BLAME_H
#define POLICY_POLICY_BLAME_H

#include "policy_call.h"
#include "policy_dial.h"
#include "protocol/verdict_json.h"

/* An unknown type is from a newer version, or a mistake: it is no answer, so nothing hangs on it.
 */
void policy_blame_unknown_type(struct policy_dial *dial, const char *message);
/* A reply to no question. */
void policy_blame_unknown_id(struct policy_dial *dial, uint64_t id);
/* `call` is NULL when nobody waits for it. */
void policy_blame_bad(struct policy_dial *dial, const struct policy_call *call, uint64_t id,
		      const struct verdict_json_error *error);
/* A line that breaks the protocol: the connection ends. */
void policy_blame_broken(struct policy_dial *dial, const struct verdict_json_error *error);
/* An answer to what nobody waits for any more. */
void policy_blame_late(struct policy_dial *dial);

#endif
