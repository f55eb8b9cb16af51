/* policy_presence: whether a service has had a live connection within the last 10 s.
 *
 *      start --live--> present --none for 10 s--> absent --live--> present
 *        `----------none for 10 s-----------------^
 *
 * A service that is started anew is away for a moment, which its failure actions are for. One that
 * stays away is something that whoever sends mail here should know. */
#ifndef POLICY_POLICY_PRESENCE_H
#define POLICY_POLICY_PRESENCE_H

#include <ev.h>
#include <stdbool.h>

struct policy_presence {
	struct ev_loop *loop;
	/* From the loop, or inside policy_presence_set(): it has become present, or absent. */
	void (*on_change)(void *arg);
	void *arg;

	ev_timer timer; /* runs while it is not live */
	bool live, present;
};

/* The first members are set by the caller. It is not live. */
void policy_presence_start(struct policy_presence *presence);
void policy_presence_fini(struct policy_presence *presence);
void policy_presence_set(struct policy_presence *presence, bool live);

#endif
