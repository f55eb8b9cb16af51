#include "counters.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

typedef char row_name[COUNTERS_NAME_SIZE];

struct counters {
	struct counters_gateway gateway;
	_Atomic unsigned slots_seen;
	row_name policies[COUNTERS_ROWS], deliveries[COUNTERS_ROWS];
	struct counters_slot slots[COUNTERS_SLOTS];
};

const uint64_t counters_bounds[COUNTERS_BUCKETS] = {
	50,	100,	200,	500,	 1000,	  2000,	   5000,     10000,    20000,	 50000,
	100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000, 30000000, 60000000, 120000000,
};

struct counters *counters_new(void)
{
	struct counters *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return c == MAP_FAILED ? NULL : c;
}

struct counters_gateway *counters_gateway(struct counters *c)
{
	return &c->gateway;
}

struct counters_slot *counters_slot(struct counters *c, unsigned slot)
{
	/* Only the master is first to ask for one, before the process that writes it exists. */
	if (slot >= atomic_load(&c->slots_seen))
		atomic_store(&c->slots_seen, slot + 1);
	return &c->slots[slot];
}

void counters_slot_clear(struct counters_slot *slot)
{
	atomic_store(&slot->pid, 0);
	atomic_store(&slot->state, COUNTERS_EMPTY);
	atomic_store(&slot->missing, 0);
	atomic_store(&slot->open, 0);
	atomic_store(&slot->spool, 0);
	for (unsigned i = 0; i < COUNTERS_SESSION_MAX; i++)
		atomic_store(&slot->sessions[i], 0);
	for (unsigned i = 0; i < COUNTERS_ROWS; i++) {
		atomic_store(&slot->policies[i].connections, 0);
		atomic_store(&slot->policies[i].outstanding, 0);
		atomic_store(&slot->policies[i].waiting, 0);
		atomic_store(&slot->policies[i].breaker, 0);
		atomic_store(&slot->deliveries[i].running, 0);
	}
}

static unsigned row_of(row_name rows[COUNTERS_ROWS], const char *name)
{
	for (unsigned i = 0; i < COUNTERS_ROWS - 1; i++) {
		if (!rows[i][0])
			memcpy(rows[i], name, strnlen(name, COUNTERS_NAME_SIZE - 1));
		if (strncmp(rows[i], name, COUNTERS_NAME_SIZE - 1) == 0)
			return i;
	}
	memcpy(rows[COUNTERS_ROWS - 1], "other", sizeof "other");
	return COUNTERS_ROWS - 1;
}

unsigned counters_policy_row(struct counters *c, const char *name)
{
	return row_of(c->policies, name);
}

unsigned counters_delivery_row(struct counters *c, const char *name)
{
	return row_of(c->deliveries, name);
}

const char *counters_policy_name(const struct counters *c, unsigned row)
{
	return c->policies[row];
}

const char *counters_delivery_name(const struct counters *c, unsigned row)
{
	return c->deliveries[row];
}

unsigned counters_slots_seen(const struct counters *c)
{
	return atomic_load_explicit(&c->slots_seen, memory_order_relaxed);
}

uint64_t counters_open(struct counters *c)
{
	uint64_t open = 0;

	for (unsigned i = 0; i < counters_slots_seen(c); i++)
		open += counter_get(&c->slots[i].open);
	return open;
}

uint64_t counters_spool(struct counters *c)
{
	uint64_t octets = 0;

	for (unsigned i = 0; i < counters_slots_seen(c); i++)
		octets += atomic_load(&c->slots[i].spool);
	return octets;
}

void counters_latency_add(struct counters_latency *l, double seconds)
{
	uint64_t us = seconds > 0 ? (uint64_t)(seconds * 1e6 + 0.5) : 0;
	unsigned i = 0;

	while (i < COUNTERS_BUCKETS && us > counters_bounds[i])
		i++;
	counter_add(&l->buckets[i], 1);
	counter_add(&l->sum, us);
}
