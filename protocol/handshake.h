/* handshake: the first messages of both channels.
 *
 *      policy:  gateway hello -> service register -> gateway ready (or error)
 *      events:  gateway hello -> subscriber subscribe -> gateway subscribed (or error) */
#ifndef PROTOCOL_HANDSHAKE_H
#define PROTOCOL_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hook.h"
#include "json_out.h"

#define PROTOCOL_VERSION     1
#define PROTOCOL_WINDOW_MAX  256    /* open questions a connection */
#define PROTOCOL_INLINE_MAX  65536  /* octets of a message sent as data_b64 */
#define PROTOCOL_HEADERS_MAX 262144 /* octets of a header section sent as headers_b64 */

/* Who the gateway is, the same on both channels. */
struct handshake_gateway {
	const char *name; /* hostname */
	unsigned worker;
	const char *epoch;    /* an ident, new at each start of the process */
	const char *software; /* "gatepost/0.1.0" */
};

struct handshake_error {
	char code[32];
	char message[256]; /* printable ASCII */
};

/* --- policy --- */
void handshake_policy_hello(struct json_out *out, const struct handshake_gateway *gateway,
			    uint64_t message_max, long ping_ms);

struct handshake_register {
	char service[65]; /* "" when not given; printable ASCII, anything else shown as '?' */
	char software[65];
	unsigned hooks;	   /* 1u << HOOK_x */
	char missing[256]; /* facts wanted that this gateway never has, separated by spaces */
	enum hook_body_mode body[HOOK_BODY_MAX]; /* in order of preference, at least one */
	size_t body_len;
	unsigned window; /* 1 .. PROTOCOL_WINDOW_MAX (a larger one is lowered) */
};

/* Reads a register line. `facts` (1u << HOOK_FACT_x) are those that this gateway can tell this
 * service. False: `error` says what is wrong, to be sent with handshake_error() before closing. */
bool handshake_read_register(const char *line, size_t len, unsigned facts,
			     struct handshake_register *reg, struct handshake_error *error);

/* What the operator grants a service. */
enum handshake_grant { HANDSHAKE_GRANT_BYPASS, HANDSHAKE_GRANT_MAX };

struct handshake_ready {
	const char *policy;
	unsigned hooks;	   /* those that will be asked, 1u << HOOK_x */
	long deadline_ms;  /* the longest wait for a reply */
	long extend_ms;	   /* how much longer it is at most with progress; 0: not at all */
	bool shadow;	   /* its verdicts are only reported */
	bool delivers;	   /* what it accepts at message is its own */
	unsigned grants;   /* 1u << HANDSHAKE_GRANT_x */
	const char *spool; /* the directory that paths are relative to; NULL: path is not used */
};

/* "bypass" */
const char *handshake_grant_word(enum handshake_grant grant);
bool handshake_grant_from_word(const char *word, enum handshake_grant *grant);
void handshake_policy_ready(struct json_out *out, const struct handshake_register *reg,
			    const struct handshake_ready *ready);

/* {"type":"error",...} for either channel; id 0: about no request. */
void handshake_error(struct json_out *out, bool fatal, uint64_t id, const char *code,
		     const char *message);

/* --- events --- */
void handshake_events_hello(struct json_out *out, const struct handshake_gateway *gateway,
			    uint64_t head, uint64_t oldest);

enum handshake_from { HANDSHAKE_NOW, HANDSHAKE_OLDEST, HANDSHAKE_AFTER };

struct handshake_subscribe {
	char name[65];	 /* "" when not given; printable ASCII */
	uint32_t events; /* 1u << EVENT_x */
	enum handshake_from from;
	char epoch[65]; /* AFTER: the last event the subscriber has */
	uint64_t seq;
	bool close_on_lag; /* rather than a gap: the error "lag" and the end */
};

bool handshake_read_subscribe(const char *line, size_t len, struct handshake_subscribe *subscribe,
			      struct handshake_error *error);
/* `from` is the first seq that can come. */
void handshake_subscribed(struct json_out *out, const char *epoch, uint64_t from,
			  uint64_t replaying);
/* What a subscriber such as `gatepost events` sends. `pattern` is an event, "prefix.*" or "*"; of
 * `from`, what is about the place and about lag. */
void handshake_subscribe(struct json_out *out, const char *name, const char *const *patterns,
			 size_t patterns_len, const struct handshake_subscribe *from);

#endif
