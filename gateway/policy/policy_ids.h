/* policy_ids: numbers that increase and are never used twice, and what each open one stands for.
 *
 *      place of an id = id modulo size (a power of two):
 *
 *      size 4   | 8: x | 5: y | free | 3: z |    the next id is 10: 9 would fall on y
 *
 * A new id skips the numbers whose place is taken, so there are no collisions to resolve: finding
 * is one look. The table doubles at half full, which keeps each entry at a place of its own. */
#ifndef POLICY_POLICY_IDS_H
#define POLICY_POLICY_IDS_H

#include <stddef.h>
#include <stdint.h>

struct policy_place {
	uint64_t id; /* 0: free */
	void *value; /* may be NULL */
};

/* All zero is an empty table. */
struct policy_ids {
	struct policy_place *places;
	size_t size, used;
	uint64_t last;
};

/* Forgets all entries; the numbers go on increasing. */
void policy_ids_fini(struct policy_ids *ids);
/* The new id, never 0. */
uint64_t policy_ids_add(struct policy_ids *ids, void *value);
/* NULL when the id is not open (any number is allowed). Valid until the next policy_ids_add(). */
struct policy_place *policy_ids_find(const struct policy_ids *ids, uint64_t id);
void policy_ids_remove(struct policy_ids *ids, struct policy_place *place);

#endif
