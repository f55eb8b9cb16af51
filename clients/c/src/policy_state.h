/* policy_state: one connection of a gateway, from within. */
#ifndef GATEPOST_POLICY_STATE_H
#define GATEPOST_POLICY_STATE_H

#include <jansson.h>

#include <gatepost/policy.h>

#include "protocol/hook.h"
#include "protocol/json_out.h"
#include "protocol/jsonl.h"

enum gatepost_policy_state {
	GATEPOST_WAIT_HELLO,
	GATEPOST_WAIT_READY,
	GATEPOST_READY,
	GATEPOST_OVER
};

struct gatepost_open {
	uint64_t id;
	enum hook hook;
	bool cancelled;
};

struct gatepost_policy {
	struct gatepost_policy_options options; /* its pointers are cleared: only plain values */
	enum gatepost_policy_state state;
	bool was_ready;
	struct gatepost_ready ready; /* its texts are owned */
	unsigned grants;
	unsigned window_max;	/* the largest one that the gateway was ever told */
	bool draining, drained; /* drained: the pong after our drain has come */
	struct gatepost_error error;
	struct jsonl lines;
	struct json_out registration; /* until hello */
	struct json_out out;
	size_t out_sent;
	size_t ping_end; /* in `out`, of the ping of a drain: once it is sent, a pong is its own */
	char *spool;
	struct gatepost_request *first, **last;
	struct gatepost_open *open;
	size_t open_len, open_size;
	int *fds; /* that came and belong to no request yet, in order */
	size_t fds_len, fds_size;
};

/* Takes one message; the state becomes GATEPOST_OVER when it may not come. */
void gatepost_policy_take(struct gatepost_policy *policy, json_t *message);
/* What a ready whose shape was checked says. */
void gatepost_policy_take_ready(struct gatepost_policy *policy, const json_t *message);
/* Tells the operator; `format` as printf(). */
__attribute__((format(printf, 2, 3))) void
gatepost_policy_tell(const struct gatepost_policy *policy, const char *format, ...);
bool gatepost_policy_has_mode_fd(const struct gatepost_policy *policy);
/* The descriptor that came first, the caller's from now on; -1: none. */
int gatepost_policy_take_fd(struct gatepost_policy *policy);
/* NULL when no request has this id. */
struct gatepost_open *gatepost_policy_find(const struct gatepost_policy *policy, uint64_t id);

#endif
