/* hook_json: requests, cancellations and signs of life to a policy service as JSON lines. */
#ifndef PROTOCOL_HOOK_JSON_H
#define PROTOCOL_HOOK_JSON_H

#include "hook.h"
#include "json_out.h"

/* The part of a request that is about this asking, not about the session. */
struct hook_asking {
	uint64_t id; /* 0: a notification (disconnect), written without id, key and deadline_ms */
	const char *key;  /* idempotency key */
	unsigned attempt; /* from 1 */
	long deadline_ms;
	enum hook_body_mode body;		     /* message: how the content goes along */
	const char *keep_session, *keep_transaction; /* JSON; NULL or "": none */
};

/* Appends one request line with its LF. With HOOK_BODY_PATH request->message->path must be set,
 * with HOOK_BODY_INLINE its data. */
void hook_json_request(struct json_out *out, const struct hook_request *request,
		       const struct hook_asking *asking);
/* Appends {"type":"cancel","ids":[id],"why":"..."} with its LF. */
void hook_json_cancel(struct json_out *out, uint64_t id, const char *why);
/* Append {"type":"ping"} and {"type":"pong"} with their LF. */
void hook_json_ping(struct json_out *out);
void hook_json_pong(struct json_out *out);

#endif
