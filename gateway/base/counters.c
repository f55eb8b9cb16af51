#include "counters.h"

#include <stddef.h>
#include <sys/mman.h>

struct counters {
	unsigned workers;
	struct counters_slot slots[];
};

struct counters *counters_new(unsigned workers)
{
	size_t size = sizeof(struct counters) + workers * sizeof(struct counters_slot);
	struct counters *c;

	c = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED)
		return NULL;
	c->workers = workers;
	return c;
}

struct counters_slot *counters_slot(struct counters *c, unsigned worker)
{
	return &c->slots[worker];
}

uint64_t counters_open(struct counters *c)
{
	uint64_t open = 0;

	for (unsigned i = 0; i < c->workers; i++)
		open += atomic_load_explicit(&c->slots[i].open, memory_order_relaxed);
	return open;
}

uint64_t counters_spool(struct counters *c)
{
	uint64_t octets = 0;

	for (unsigned i = 0; i < c->workers; i++)
		octets += atomic_load(&c->slots[i].spool);
	return octets;
}
