/* verdict_json: replies of a policy service, and what else it says after its registration,
 * strictly read.
 *
 * A line is parsed whole or not at all: JSON object, duplicate keys refused, depth at most 16,
 * integers at most 2^53-1, then every rule of PROTOCOL.md. What breaks a rule never becomes a
 * verdict. */
#ifndef PROTOCOL_VERDICT_JSON_H
#define PROTOCOL_VERDICT_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "verdict.h"

enum verdict_json {
	VERDICT_JSON_REPLY,    /* id, verdict: free with verdict_fini() */
	VERDICT_JSON_PROGRESS, /* id, extend_ms (from 1): the reply comes later */
	VERDICT_JSON_WINDOW,   /* window: how many requests may be open from now on, 0 for none */
	VERDICT_JSON_PING,     /* wants a pong */
	VERDICT_JSON_PONG,
	VERDICT_JSON_DRAIN,   /* goes away: no new requests */
	VERDICT_JSON_INVALID, /* a reply for id that breaks a rule: the question fails as bad_reply
			       */
	VERDICT_JSON_BAD_PROGRESS, /* id: extend_ms is of no use. To be told; the deadline stays */
	VERDICT_JSON_UNKNOWN, /* a well-formed object of a type that this version does not know:
				 ignored */
	VERDICT_JSON_BROKEN, /* not followable (no JSON object, no type, reply without a usable id):
				fatal */
};

struct verdict_message {
	uint64_t id; /* 0: about no request */
	struct verdict verdict;
	long extend_ms;
	unsigned window; /* at most PROTOCOL_WINDOW_MAX */
};

struct verdict_json_error {
	char code[32];	   /* "bad_json" "bad_message" "bad_reply" "unknown_type" */
	char message[256]; /* for the author: says which field and what was expected; printable
			      ASCII */
};

/* `line` is len octets without LF. What the result does not name is 0 in the message. error is
 * filled when the result is INVALID or one after it. */
enum verdict_json verdict_json_decode(const char *line, size_t len, struct verdict_message *message,
				      struct verdict_json_error *error);

#endif
