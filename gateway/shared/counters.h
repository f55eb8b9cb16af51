/* counters: numbers that all processes of one gateway share.
 *
 * One anonymous mapping, made by the master before it forks, of a fixed size: what a later reload
 * brings has a place in it, so the hub sees it without being started again. A page that nobody has
 * written costs nothing.
 *
 *      worker 0: [slot][slot]...   one slot a process: after a reload the old process of a worker
 *      worker 1: [slot][slot]...   and the new one live at the same time
 *
 * Only the slot's process writes it, and the master when that is gone: no locks, each number is an
 * atomic of its own. Anybody may read. Sums outlive their process, so they only grow; the numbers
 * under "now" are those of the living process and are cleared with it. Latencies are in
 * microseconds. */
#ifndef SHARED_COUNTERS_H
#define SHARED_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/counter.h"
#include "protocol/failure.h"
#include "protocol/hook.h"
#include "protocol/verdict.h"

#define COUNTERS_WORKERS     256
#define COUNTERS_GENERATIONS 8 /* processes of one worker at a time */
#define COUNTERS_SLOTS	     (COUNTERS_WORKERS * COUNTERS_GENERATIONS)
/* Policies and deliveries with numbers of their own; those beyond share the last row, "other". */
#define COUNTERS_ROWS	   64
#define COUNTERS_NAME_SIZE 65
#define COUNTERS_VERBS	   24 /* at least as many as enum smtp_verb has */
#define COUNTERS_CLASSES   4  /* of replies: 2yz, 3yz, 4yz, 5yz */
#define COUNTERS_BUCKETS   20

enum counters_state {
	COUNTERS_EMPTY,	   /* no process has the slot */
	COUNTERS_STARTING, /* it waits for its services */
	COUNTERS_SERVING,  /* it takes connections */
	COUNTERS_RETIRING, /* a reload has replaced it: it takes none, its sessions go on */
	COUNTERS_DRAINING, /* the gateway stops */
};

/* What a session waits for. */
enum counters_session {
	COUNTERS_SESSION_OPENING, /* the PROXY header, the name, the banner wait */
	COUNTERS_SESSION_COMMAND,
	COUNTERS_SESSION_TLS,
	COUNTERS_SESSION_MESSAGE, /* octets of it */
	COUNTERS_SESSION_POLICY,  /* the pause after wrong credentials included */
	COUNTERS_SESSION_DELIVERY,
	COUNTERS_SESSION_CLOSING,
	COUNTERS_SESSION_MAX
};

enum counters_tls { COUNTERS_TLS_1_2, COUNTERS_TLS_1_3, COUNTERS_TLS_FAILED, COUNTERS_TLS_MAX };

struct counters_latency {
	counter buckets[COUNTERS_BUCKETS + 1]; /* by counters_bounds; the last one: above all */
	counter sum;
};

struct counters_policy_hook {
	struct counters_latency latency; /* of answers */
	counter verdicts[VERDICT_MAX];
	counter failures[FAILURE_MAX];
};

struct counters_policy {
	/* now */
	counter connections; /* that have registered */
	counter outstanding; /* questions sent and not answered */
	counter waiting;     /* questions not sent yet */
	counter breaker;     /* 0 closed, 1 half open, 2 open */
	/* sums */
	counter late, bad, unknown; /* replies of no use */
	struct counters_policy_hook hooks[HOOK_MAX];
};

struct counters_delivery {
	counter running;		   /* now */
	counter results[COUNTERS_CLASSES]; /* by the reply's class */
	struct counters_latency latency;
};

struct counters_slot {
	/* now */
	_Atomic pid_t pid;
	_Atomic int state;   /* enum counters_state */
	counter since;	     /* when `state` became what it is: CLOCK_MONOTONIC, seconds */
	counter alive;	     /* when its loop turned, told each second: the same clock */
	_Atomic int missing; /* row + 1 of a required policy that is away; 0: none is */
	counter open;	     /* connections */
	counter spool;	     /* octets in spool files */
	counter sessions[COUNTERS_SESSION_MAX];
	/* sums */
	counter connections, messages, message_octets, events, events_lost;
	counter octets_in, octets_out; /* with clients, as sent on the wire */
	counter tls[COUNTERS_TLS_MAX];
	counter tls_resumed;
	counter replies[COUNTERS_VERBS][COUNTERS_CLASSES]; /* by enum smtp_verb */
	struct counters_policy policies[COUNTERS_ROWS];
	struct counters_delivery deliveries[COUNTERS_ROWS];
};

/* The master's. */
struct counters_gateway {
	_Atomic unsigned workers; /* as configured now */
	_Atomic int stopping;	  /* the order to stop has come: not ready, whatever else */
	counter started;	  /* seconds since 1970 */
	counter reloads, reload_failures;
	counter reloaded;		   /* seconds since 1970 of the configuration in use */
	counter worker_deaths, hub_deaths; /* not by order */
};

struct counters;

/* Upper bounds of the buckets, in microseconds. */
extern const uint64_t counters_bounds[COUNTERS_BUCKETS];

/* NULL (errno) when there is no memory. Lives as long as the processes. */
struct counters *counters_new(void);
struct counters_gateway *counters_gateway(struct counters *c);
/* `slot` below COUNTERS_SLOTS: worker * COUNTERS_GENERATIONS + generation. */
struct counters_slot *counters_slot(struct counters *c, unsigned slot);
/* Clears what is "now": the process is gone. */
void counters_slot_clear(struct counters_slot *slot);

/* The row of a name, taken when it has none yet: for the master, before it forks. */
unsigned counters_policy_row(struct counters *c, const char *name);
unsigned counters_delivery_row(struct counters *c, const char *name);
/* "" for a row that nobody has. */
const char *counters_policy_name(const struct counters *c, unsigned row);
const char *counters_delivery_name(const struct counters *c, unsigned row);

/* Slots up to the last one that ever had a process: those above have nothing to tell. */
unsigned counters_slots_seen(const struct counters *c);
/* Connections open in all processes together. */
uint64_t counters_open(struct counters *c);
/* Octets in the spool files of all processes together. */
uint64_t counters_spool(struct counters *c);

void counters_latency_add(struct counters_latency *l, double seconds);

#endif
