#include "clients.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

/* How far a search goes: a table so full that this is not enough no longer counts. */
#define PROBES 64
#define PAGE   4096u

struct place {
	_Atomic uint64_t key; /* 0: free */
	_Atomic uint32_t count;
};

struct clients {
	struct place *places; /* behind this, from a page of their own on */
	unsigned slots;
	uint64_t mask;
	/* Unknown to clients, or they could choose addresses that all fall into one place. */
	uint64_t seed;
	/* A bit for each slot that has counted anything: most never do, and a search of all would
	 * cost each connection a page fault for each. */
	_Atomic uint64_t used[];
};

struct clients *clients_new(unsigned slots, unsigned places)
{
	struct clients *c;
	size_t head = sizeof *c + (slots + 63) / 64 * sizeof *c->used, size;
	uint64_t room = PAGE / sizeof(struct place);

	while (room < places)
		room *= 2;
	head = (head + PAGE - 1) / PAGE * PAGE;
	size = head + slots * room * sizeof(struct place);
	c = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		 0);
	if (c == MAP_FAILED)
		return NULL;
	c->places = (struct place *)(void *)((char *)c + head);
	c->slots = slots;
	c->mask = room - 1;
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

static struct place *table_of(struct clients *c, unsigned slot)
{
	return c->places + slot * (c->mask + 1);
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
static struct place *find(struct clients *c, unsigned slot, uint64_t key, struct place **reusable)
{
	struct place *table = table_of(c, slot);
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

/* The bit is set once in a process's life: an atomic instruction for each connection, on memory
 * that all processes read, would cost them all. */
static void mark(struct clients *c, unsigned slot)
{
	_Atomic uint64_t *word = &c->used[slot / 64];
	uint64_t bit = UINT64_C(1) << slot % 64;

	if (!(atomic_load_explicit(word, memory_order_relaxed) & bit))
		atomic_fetch_or(word, bit);
}

unsigned clients_add(struct clients *c, unsigned slot, uint64_t key)
{
	struct place *free_place, *own = find(c, slot, key, &free_place);
	unsigned total = 0;

	mark(c, slot);
	if (!own && free_place) {
		own = free_place;
		atomic_store_explicit(&own->key, key, memory_order_relaxed);
	}
	if (own)
		atomic_fetch_add_explicit(&own->count, 1, memory_order_relaxed);
	for (unsigned word = 0; word * 64 < c->slots; word++) {
		uint64_t bits = atomic_load_explicit(&c->used[word], memory_order_relaxed);

		for (; bits; bits &= bits - 1) {
			unsigned at = word * 64 + (unsigned)__builtin_ctzll(bits);
			struct place *place = find(c, at, key, &free_place);

			total += place ? atomic_load_explicit(&place->count, memory_order_relaxed)
				       : 0;
		}
	}
	return total;
}

void clients_remove(struct clients *c, unsigned slot, uint64_t key)
{
	struct place *unused, *own = find(c, slot, key, &unused);

	if (own && atomic_load_explicit(&own->count, memory_order_relaxed))
		atomic_fetch_sub_explicit(&own->count, 1, memory_order_relaxed);
}

void clients_clear(struct clients *c, unsigned slot)
{
	_Atomic uint64_t *word = &c->used[slot / 64];
	uint64_t bit = UINT64_C(1) << slot % 64;

	if (!(atomic_load(word) & bit))
		return;
	atomic_fetch_and(word, ~bit);
	/* The memory goes back to the system, and is zero when it is used again. */
	if (madvise(table_of(c, slot), (c->mask + 1) * sizeof(struct place), MADV_REMOVE) != 0)
		memset((void *)table_of(c, slot), 0, (c->mask + 1) * sizeof(struct place));
}
