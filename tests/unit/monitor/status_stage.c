#include "status_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct counters_slot *process(struct status_stage *stage, unsigned worker, unsigned k,
				     pid_t pid, enum counters_state state, uint64_t since)
{
	struct counters_slot *slot =
		counters_slot(stage->counters, worker * COUNTERS_GENERATIONS + k);

	atomic_store(&slot->pid, pid);
	atomic_store(&slot->state, state);
	slot->since = since;
	return slot;
}

static void set_up_policy(struct status_stage *stage, struct counters_slot *slot)
{
	struct counters_policy *policy =
		&slot->policies[counters_policy_row(stage->counters, "greylist")];
	struct counters_policy_hook *rcpt = &policy->hooks[HOOK_RCPT];

	policy->connections = 1;
	policy->outstanding = 2;
	policy->late = 1;
	for (unsigned i = 0; i < 4; i++)
		counters_latency_add(&rcpt->latency, 0.0015);
	rcpt->verdicts[VERDICT_ACCEPT] = 3;
	rcpt->verdicts[VERDICT_TEMPFAIL] = 1;
	rcpt->failures[FAILURE_TIMEOUT] = 1;
}

static void set_up_first(struct status_stage *stage)
{
	struct counters_slot *old = process(stage, 0, 0, 4711, COUNTERS_RETIRING, 86000);
	struct counters_slot *slot = process(stage, 0, 1, 4720, COUNTERS_SERVING, 86001);
	unsigned row = counters_delivery_row(stage->counters, "inbox");

	old->open = 1;
	old->sessions[COUNTERS_SESSION_COMMAND] = 1;
	old->connections = 7;
	slot->open = 2;
	slot->spool = 65536;
	slot->sessions[COUNTERS_SESSION_MESSAGE] = 1;
	slot->sessions[COUNTERS_SESSION_POLICY] = 1;
	slot->connections = 3;
	slot->messages = 2;
	slot->message_octets = 1234;
	slot->octets_in = 2000;
	slot->octets_out = 3000;
	slot->events = 40;
	slot->tls[COUNTERS_TLS_1_3] = 2;
	slot->tls_resumed = 1;
	slot->replies[0][0] = 9;
	slot->replies[5][1] = 2;
	slot->replies[5][3] = 1;
	set_up_policy(stage, slot);
	slot->deliveries[row].results[0] = 2;
	slot->deliveries[row].running = 1;
	counters_latency_add(&slot->deliveries[row].latency, 0.007);
	counters_latency_add(&slot->deliveries[row].latency, 0.007);
}

static void set_up_second(struct status_stage *stage)
{
	struct counters_slot *slot = process(stage, 1, 0, 4712, COUNTERS_SERVING, 80000);

	atomic_store(&slot->missing, 1);
	slot->policies[0].breaker = 2;
	slot->events_lost = 5;
}

void status_stage_open(struct status_stage *stage)
{
	struct counters_gateway *gateway;

	*stage = (struct status_stage){
		.counters = counters_new(),
		.gateway = {.name = "mx1.example.org",
			    .epoch = "01K2F7NW40S6GZQB1M8K",
			    .software = "gatepost/0.1.0"},
		.events = {.head = 45,
			   .oldest = 1,
			   .lost = 5,
			   .subscribers = 1,
			   .subscribers_max = 64,
			   .told_len = 1,
			   .told = {{.name = "siem",
				     .uid = 1000,
				     .live = true,
				     .lag = 3,
				     .sent = 42}}},
	};
	assert_non_null(stage->counters);
	stage->facts = (struct status_facts){
		.gateway = &stage->gateway,
		.counters = stage->counters,
		.events = &stage->events,
		.reasons = {"worker 1: required policy greylist is away\n",
			    strlen("worker 1: required policy greylist is away\n")},
		.time = "2026-11-24T11:03:15.487185Z",
		.seconds = 1795518195,
		.clock_ms = 86400123,
	};
	gateway = counters_gateway(stage->counters);
	atomic_store(&gateway->workers, 2);
	gateway->started = 1795518195 - 7200;
	gateway->reloaded = 1795518195 - 399;
	gateway->reloads = 1;
	gateway->worker_deaths = 1;
	counters_policy_row(stage->counters, "greylist");
	set_up_first(stage);
	set_up_second(stage);
}
