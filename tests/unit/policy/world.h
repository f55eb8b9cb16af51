/* world: what a test of the policy room needs around it: a loop, a directory, two fake services,
 * the events, and sessions that ask. */
#ifndef WORLD_H
#define WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_service.h"
#include "policy/policy.h"

#define WORLD_SERVICES	  2
#define WORLD_SESSION	  "01SESSION00000000000"
#define WORLD_TRANSACTION "01TRANSACTION0000000"

struct world {
	struct ev_loop *loop;
	char directory[64];
	char paths[WORLD_SERVICES][96];
	const char *sockets[WORLD_SERVICES];
	struct fake_service fakes[WORLD_SERVICES];
	struct policy_service_settings services[WORLD_SERVICES];
	struct policy_settings settings;
	struct policy *policy;
	char *events; /* one line an event: name field=value ... */
	size_t events_len;
	FILE *events_file;
	bool ready; /* as on_readiness says */
	char missing[32];
	unsigned readiness_told;
};

/* A session that asks one question. */
struct asked {
	struct world *world;
	struct hook_request request;
	struct hook_mailbox mailbox;
	struct hook_message message;
	const char *path; /* what make_path makes; NULL: it fails */
	unsigned paths_made;
	const char *body;	  /* the file that open_body opens; NULL: it fails */
	const char *edit_problem; /* what edit says; NULL: it makes them */
	unsigned edits_made;
	struct policy_memory *memory; /* the test's */
	double budget;
	size_t chain[WORLD_SERVICES];
	uint64_t id;
	struct asked *follower; /* asked when this one has its verdict */
	struct asked *rival;	/* cancelled then */
	bool inside;		/* the call to policy_ask() is running */
	unsigned verdicts;
	struct verdict verdict;
	char by[32]; /* "" for NULL */
};

/* Two services "one" and "two" with a socket each, registered for mail, rcpt, message and
 * disconnect, that accept everything; timeout 5 s; on_failure tempfail. Change the settings, then
 * world_start(). */
int world_set_up(void **state);
int world_tear_down(void **state);
/* Sets the action of every class. */
void world_on_failure(struct world *world, size_t service, enum verdict_kind action);
/* Listens with every fake that has a registration, makes the policy, waits until it is ready. */
void world_start(struct world *world);
/* Makes the policy without listening or waiting. */
void world_start_alone(struct world *world);
/* Runs the loop until the condition holds; fails the test after 10 s. */
#define world_wait(world, condition)                                                               \
	do {                                                                                       \
		double until_ = world_clock() + 10;                                                \
		while (!(condition)) {                                                             \
			if (world_clock() > until_)                                                \
				fail_msg("not within 10 s: %s", #condition);                       \
			world_turn(world);                                                         \
		}                                                                                  \
	} while (0)
/* One turn of the loop, at most 20 ms long. */
void world_turn(struct world *world);
/* Seconds, monotonic. */
double world_clock(void);
bool world_has_event(struct world *world, const char *words);
size_t world_count_events(struct world *world, const char *words);

/* Prepares a rcpt question (index 1, inside a transaction) to both services. */
void asked_init(struct asked *asked, struct world *world);
/* Asks; true when the answer came at once. */
bool asked_start(struct asked *asked);
/* Waits for the verdict and checks it; status NULL and by "" are none. */
void asked_expect(struct asked *asked, enum verdict_kind kind, int code, const char *status,
		  const char *by);
void asked_fini(struct asked *asked);

#endif
