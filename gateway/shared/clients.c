#include "clients.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

/* How far a search goes: a table so full that this is not enough no longer counts. */
#define PROBES 64

struct place {
	_Atomic uint64_t key; /* 0: free */
	_Atomic uint32_t count;
};

struct clients {
	unsigned workers;
	uint64_t mask;
	/* Unknown to clients, or they could choose addresses that all fall into one place. */
	uint64_t seed;
	struct place places[];
};

struct clients *clients_new(unsigned workers, unsigned places)
{
	struct clients *c;
	uint64_t size = PROBES;

	while (size < places)
		size *= 2;
	c = mmap(NULL, sizeof *c + workers * size * sizeof(struct place), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED)
		return NULL;
	c->workers = workers;
	c->mask = size - 1;
	if (getrandom(&c->seed, sizeof c->seed, 0) != sizeof c->seed)
		abort();
	return c;
}

uint64_t clients_key(const void *address, unsigned length)
{
	uint64_t key = 0;

	memcpy(&key, address, length == 4 ? 4 : 8);
	/* An IPv4 address uses half of it; the other half is no prefix that is ever assigned. */
	if (length == 4)
		key |= UINT64_C(0xffffffff) << 32;
	return key ? key : 1;
}

static struct place *table_of(struct clients *c, unsigned worker)
{
	return c->places + worker * (c->mask + 1);
}

static uint64_t place_of(const struct clients *c, uint64_t key)
{
	uint64_t x = key ^ c->seed;

	/* The finishing steps of MurmurHash3: each bit of the key reaches each bit of the place. */
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (x ^ x >> 33) & c->mask;
}

/* The client's place in a table; NULL when it has none. A place whose count fell to 0 keeps its
 * key, so that searches do not stop there, until another client takes it over. */
static struct place *find(struct clients *c, unsigned worker, uint64_t key, struct place **reusable)
{
	struct place *table = table_of(c, worker);
	uint64_t at = place_of(c, key);

	*reusable = NULL;
	for (unsigned i = 0; i < PROBES; i++, at = (at + 1) & c->mask) {
		uint64_t found = atomic_load_explicit(&table[at].key, memory_order_relaxed);

		if (found == key)
			return &table[at];
		if (!*reusable && !atomic_load_explicit(&table[at].count, memory_order_relaxed))
			*reusable = &table[at];
		if (!found)
			break;
	}
	return NULL;
}

unsigned clients_add(struct clients *c, unsigned worker, uint64_t key)
{
	struct place *free_place, *own = find(c, worker, key, &free_place);
	unsigned total = 0;

	if (!own && free_place) {
		own = free_place;
		atomic_store_explicit(&own->key, key, memory_order_relaxed);
	}
	if (own)
		atomic_fetch_add_explicit(&own->count, 1, memory_order_relaxed);
	for (unsigned i = 0; i < c->workers; i++) {
		struct place *place = find(c, i, key, &free_place);

		total += place ? atomic_load_explicit(&place->count, memory_order_relaxed) : 0;
	}
	return total;
}

void clients_remove(struct clients *c, unsigned worker, uint64_t key)
{
	struct place *unused, *own = find(c, worker, key, &unused);

	if (own && atomic_load_explicit(&own->count, memory_order_relaxed))
		atomic_fetch_sub_explicit(&own->count, 1, memory_order_relaxed);
}

void clients_clear(struct clients *c, unsigned worker)
{
	struct place *table = table_of(c, worker);

	for (uint64_t i = 0; i <= c->mask; i++) {
		atomic_store_explicit(&table[i].count, 0, memory_order_relaxed);
		atomic_store_explicit(&table[i].key, 0, memory_order_relaxed);
	}
}
