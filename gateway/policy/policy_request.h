/* policy_request: a question as a line, in the body mode that fits the service, with what it keeps
 * and the labels of those before it. */
#ifndef POLICY_POLICY_REQUEST_H
#define POLICY_POLICY_REQUEST_H

#include "policy_call.h"
#include "protocol/json_out.h"

/* Appends the request under this id. *fd is the descriptor that must go with it, the caller's; -1:
 * none. A failure: INTERNAL (no body mode fits, or the line is too long), STORAGE; `out` is empty
 * and *fd -1 then. */
enum failure policy_request_write(struct json_out *out, const struct policy_call *call, uint64_t id,
				  const struct handshake_register *reg, int *fd);
/* A notification of the service at `place`. False: too long for a line, `out` is empty. */
bool policy_request_write_notice(struct json_out *out, size_t place,
				 const struct hook_request *request,
				 const struct policy_memory *memory);

#endif
