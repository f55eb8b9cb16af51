#include "status_json.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "quantile.h"

/* Sums of all processes: the name, and the member of struct counters_slot. */
#define SUMS(SUM)                                                                                  \
	SUM("connections", connections)                                                            \
	SUM("messages", messages)                                                                  \
	SUM("message_octets", message_octets)                                                      \
	SUM("octets_in", octets_in)                                                                \
	SUM("octets_out", octets_out)                                                              \
	SUM("events", events)                                                                      \
	SUM("events_lost", events_lost)                                                            \
	SUM("tls_1_2", tls[COUNTERS_TLS_1_2])                                                      \
	SUM("tls_1_3", tls[COUNTERS_TLS_1_3])                                                      \
	SUM("tls_failed", tls[COUNTERS_TLS_FAILED])                                                \
	SUM("tls_resumed", tls_resumed)

static const char *const state_words[] = {[COUNTERS_EMPTY] = "empty",
					  [COUNTERS_STARTING] = "starting",
					  [COUNTERS_SERVING] = "serving",
					  [COUNTERS_RETIRING] = "retiring",
					  [COUNTERS_DRAINING] = "draining"};
static const char *const session_words[COUNTERS_SESSION_MAX] = {
	[COUNTERS_SESSION_OPENING] = "opening", [COUNTERS_SESSION_COMMAND] = "command",
	[COUNTERS_SESSION_TLS] = "tls",		[COUNTERS_SESSION_MESSAGE] = "message",
	[COUNTERS_SESSION_POLICY] = "policy",	[COUNTERS_SESSION_DELIVERY] = "delivery",
	[COUNTERS_SESSION_CLOSING] = "closing",
};
static const char *const breaker_words[] = {"closed", "half_open", "open"};
static const char *const class_words[COUNTERS_CLASSES] = {"2yz", "3yz", "4yz", "5yz"};

/* --- pieces of JSON --- */

/* "name":value, and the comma that it needs: none after an opening bracket. */
static void put_name(struct json_out *out, const char *name)
{
	char last = out->data[out->len - 1];

	if (last != '{' && last != '[')
		json_out_raw(out, ",");
	if (!name)
		return;
	json_out_text(out, name);
	json_out_raw(out, ":");
}

static void open_part(struct json_out *out, const char *name, const char *bracket)
{
	put_name(out, name);
	json_out_raw(out, bracket);
}

static void put_number(struct json_out *out, const char *name, uint64_t value)
{
	put_name(out, name);
	json_out_integer(out, (int64_t)value);
}

static void put_text(struct json_out *out, const char *name, const char *value)
{
	put_name(out, name);
	json_out_text(out, value);
}

static void put_boolean(struct json_out *out, const char *name, bool value)
{
	put_name(out, name);
	json_out_raw(out, value ? "true" : "false");
}

static void put_ms(struct json_out *out, const char *name, double ms)
{
	char text[32];

	snprintf(text, sizeof text, "%.3f", ms);
	put_name(out, name);
	json_out_raw(out, text);
}

/* --- sums --- */

/* Of all processes, dead ones too. `first` is a counter of the slot 0. */
static uint64_t sum(struct counters *c, const counter *first)
{
	const counter *base = (const void *)counters_slot(c, 0);
	uint64_t total = 0;

	for (unsigned i = 0; i < counters_slots_seen(c); i++)
		total += counter_get((const counter *)(const void *)counters_slot(c, i) +
				     (first - base));
	return total;
}

/* The histogram as it is, and what people ask of it. Returns how many entries it has. */
static uint64_t put_latency(struct json_out *out, struct counters *c, const char *count,
			    const struct counters_latency *first)
{
	double bounds[COUNTERS_BUCKETS];
	uint64_t buckets[COUNTERS_BUCKETS + 1], total = 0;

	for (unsigned i = 0; i <= COUNTERS_BUCKETS; i++)
		total += buckets[i] = sum(c, &first->buckets[i]);
	for (unsigned i = 0; i < COUNTERS_BUCKETS; i++)
		bounds[i] = (double)counters_bounds[i] / 1000;
	put_number(out, count, total);
	if (!total)
		return 0;
	put_ms(out, "sum_ms", (double)sum(c, &first->sum) / 1000);
	put_ms(out, "p50_ms", quantile(bounds, buckets, COUNTERS_BUCKETS, 0.5));
	put_ms(out, "p99_ms", quantile(bounds, buckets, COUNTERS_BUCKETS, 0.99));
	open_part(out, "buckets", "[");
	for (unsigned i = 0; i <= COUNTERS_BUCKETS; i++)
		put_number(out, NULL, buckets[i]);
	json_out_raw(out, "]");
	return total;
}

/* --- parts --- */

static void put_gateway(struct json_out *out, const struct handshake_gateway *gateway)
{
	open_part(out, "gateway", "{");
	put_text(out, "name", gateway->name);
	put_text(out, "epoch", gateway->epoch);
	put_text(out, "software", gateway->software);
	json_out_raw(out, "}");
}

static void put_reasons(struct json_out *out, struct octets reasons)
{
	const char *end;

	open_part(out, "reasons", "[");
	while (reasons.len && (end = memchr(reasons.data, '\n', reasons.len))) {
		size_t len = (size_t)(end - reasons.data);

		put_name(out, NULL);
		json_out_octets_value(out, (struct octets){reasons.data, len});
		reasons.data = end + 1;
		reasons.len -= len + 1;
	}
	json_out_raw(out, "]");
}

/* Milliseconds from a time to a later one, both in seconds. */
static void put_age(struct json_out *out, const char *name, uint64_t from, uint64_t to)
{
	if (from)
		put_number(out, name, to > from ? (to - from) * 1000 : 0);
}

static void put_master(struct json_out *out, const struct status_facts *facts)
{
	const struct counters_gateway *gateway = counters_gateway(facts->counters);

	open_part(out, "master", "{");
	put_age(out, "up_ms", counter_get(&gateway->started), facts->seconds);
	put_age(out, "configuration_ms", counter_get(&gateway->reloaded), facts->seconds);
	put_number(out, "workers", atomic_load(&gateway->workers));
	put_boolean(out, "stopping", atomic_load(&gateway->stopping));
	put_number(out, "reloads", counter_get(&gateway->reloads));
	put_number(out, "reload_failures", counter_get(&gateway->reload_failures));
	put_number(out, "worker_deaths", counter_get(&gateway->worker_deaths));
	put_number(out, "hub_deaths", counter_get(&gateway->hub_deaths));
	json_out_raw(out, "}");
}

static void put_worker(struct json_out *out, const struct status_facts *facts, unsigned number)
{
	const struct counters_slot *slot = counters_slot(facts->counters, number);
	unsigned state = (unsigned)atomic_load(&slot->state);
	int missing = atomic_load(&slot->missing);

	if (state == COUNTERS_EMPTY || state > COUNTERS_DRAINING)
		return;
	open_part(out, NULL, "{");
	put_number(out, "worker", number / COUNTERS_GENERATIONS);
	put_number(out, "pid", (uint64_t)atomic_load(&slot->pid));
	put_text(out, "state", state_words[state]);
	put_age(out, "for_ms", counter_get(&slot->since), facts->clock_ms / 1000);
	if (missing > 0 && missing <= COUNTERS_ROWS)
		put_text(out, "missing",
			 counters_policy_name(facts->counters, (unsigned)missing - 1));
	put_number(out, "open", counter_get(&slot->open));
	put_number(out, "spool", counter_get(&slot->spool));
	open_part(out, "sessions", "{");
	for (unsigned i = 0; i < COUNTERS_SESSION_MAX; i++)
		put_number(out, session_words[i], counter_get(&slot->sessions[i]));
	json_out_raw(out, "}}");
}

static void put_sums(struct json_out *out, struct counters *c)
{
	const struct counters_slot *first = counters_slot(c, 0);

	open_part(out, "sums", "{");
#define SUM(name, member) put_number(out, name, sum(c, &first->member));
	SUMS(SUM)
#undef SUM
	open_part(out, "replies", "{");
	for (unsigned class = 0; class < COUNTERS_CLASSES; class ++) {
		uint64_t total = 0;

		for (unsigned verb = 0; verb < COUNTERS_VERBS; verb++)
			total += sum(c, &first->replies[verb][class]);
		put_number(out, class_words[class], total);
	}
	json_out_raw(out, "}}");
}

/* Words with a number each, those that are 0 left out. */
static void put_words(struct json_out *out, struct counters *c, const char *name,
		      const counter *first, unsigned len, const char *(*word)(unsigned i))
{
	open_part(out, name, "{");
	for (unsigned i = 0; i < len; i++) {
		uint64_t n = sum(c, &first[i]);

		if (n)
			put_number(out, word(i), n);
	}
	json_out_raw(out, "}");
}

static const char *verdict_of(unsigned i)
{
	return verdict_word((enum verdict_kind)i);
}

static const char *failure_of(unsigned i)
{
	return failure_word((enum failure)i);
}

/* A hook at which nothing was asked is left out: its name is taken back with what follows. */
static void put_hook(struct json_out *out, struct counters *c, enum hook hook,
		     const struct counters_policy_hook *first)
{
	size_t start = out->len;
	uint64_t any;

	open_part(out, hook_word(hook), "{");
	any = put_latency(out, c, "answers", &first->latency);
	put_words(out, c, "verdicts", first->verdicts, VERDICT_MAX, verdict_of);
	put_words(out, c, "failures", first->failures, FAILURE_MAX, failure_of);
	json_out_raw(out, "}");
	for (unsigned i = 0; i < FAILURE_MAX; i++)
		any += sum(c, &first->failures[i]);
	if (!any)
		out->len = start;
}

/* Each worker has a breaker of its own: how many are in which state. */
static void put_breakers(struct json_out *out, struct counters *c, unsigned row)
{
	uint64_t states[3] = {0};

	for (unsigned i = 0; i < counters_slots_seen(c); i++) {
		const struct counters_slot *slot = counters_slot(c, i);
		uint64_t breaker = counter_get(&slot->policies[row].breaker);

		if (atomic_load(&slot->state) != COUNTERS_EMPTY && breaker < 3)
			states[breaker]++;
	}
	open_part(out, "breakers", "{");
	for (unsigned i = 0; i < 3; i++)
		put_number(out, breaker_words[i], states[i]);
	json_out_raw(out, "}");
}

static void put_policy(struct json_out *out, struct counters *c, unsigned row)
{
	const struct counters_policy *first = &counters_slot(c, 0)->policies[row];

	if (!counters_policy_name(c, row)[0])
		return;
	open_part(out, NULL, "{");
	put_text(out, "policy", counters_policy_name(c, row));
	put_number(out, "connections", sum(c, &first->connections));
	put_number(out, "outstanding", sum(c, &first->outstanding));
	put_number(out, "waiting", sum(c, &first->waiting));
	put_breakers(out, c, row);
	put_number(out, "late", sum(c, &first->late));
	put_number(out, "bad", sum(c, &first->bad));
	put_number(out, "unknown", sum(c, &first->unknown));
	open_part(out, "hooks", "{");
	for (unsigned i = 0; i < HOOK_MAX; i++)
		put_hook(out, c, (enum hook)i, &first->hooks[i]);
	json_out_raw(out, "}}");
}

static void put_delivery(struct json_out *out, struct counters *c, unsigned row)
{
	const struct counters_delivery *first = &counters_slot(c, 0)->deliveries[row];

	if (!counters_delivery_name(c, row)[0])
		return;
	open_part(out, NULL, "{");
	put_text(out, "delivery", counters_delivery_name(c, row));
	put_number(out, "running", sum(c, &first->running));
	open_part(out, "results", "{");
	for (unsigned i = 0; i < COUNTERS_CLASSES; i++) {
		uint64_t n = sum(c, &first->results[i]);

		if (n)
			put_number(out, class_words[i], n);
	}
	json_out_raw(out, "}");
	put_latency(out, c, "count", &first->latency);
	json_out_raw(out, "}");
}

static void put_subscriber(struct json_out *out, const struct subscriber_status *s)
{
	open_part(out, NULL, "{");
	put_text(out, "name", s->name);
	if (s->uid != (uid_t)-1)
		put_number(out, "uid", s->uid);
	put_boolean(out, "live", s->live);
	put_number(out, "lag", s->lag);
	put_number(out, "sent", s->sent);
	put_number(out, "lost", s->lost);
	json_out_raw(out, "}");
}

static void put_events(struct json_out *out, const struct event_hub_status *events)
{
	open_part(out, "events", "{");
	put_number(out, "head", events->head);
	put_number(out, "oldest", events->oldest);
	put_number(out, "lost", events->lost);
	put_number(out, "subscribers_len", events->subscribers);
	put_number(out, "subscribers_max", events->subscribers_max);
	open_part(out, "subscribers", "[");
	for (unsigned i = 0; i < events->told_len; i++)
		put_subscriber(out, &events->told[i]);
	json_out_raw(out, "]}");
}

void status_json(struct json_out *out, const struct status_facts *facts)
{
	struct counters *c = facts->counters;

	json_out_raw(out, "{\"type\":\"status\"");
	put_gateway(out, facts->gateway);
	put_text(out, "time", facts->time);
	put_number(out, "clock_ms", facts->clock_ms);
	put_boolean(out, "ready", facts->ready);
	put_reasons(out, facts->reasons);
	put_master(out, facts);
	open_part(out, "workers", "[");
	for (unsigned i = 0; i < counters_slots_seen(c); i++)
		put_worker(out, facts, i);
	json_out_raw(out, "]");
	put_sums(out, c);
	open_part(out, "bounds_ms", "[");
	for (unsigned i = 0; i < COUNTERS_BUCKETS; i++)
		put_ms(out, NULL, (double)counters_bounds[i] / 1000);
	json_out_raw(out, "]");
	open_part(out, "policies", "[");
	for (unsigned i = 0; i < COUNTERS_ROWS; i++)
		put_policy(out, c, i);
	json_out_raw(out, "]");
	open_part(out, "deliveries", "[");
	for (unsigned i = 0; i < COUNTERS_ROWS; i++)
		put_delivery(out, c, i);
	json_out_raw(out, "]");
	put_events(out, facts->events);
	json_out_raw(out, "}\n");
}
