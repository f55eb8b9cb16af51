#include "policy_ids.h"

#include <stdlib.h>

#include "base/mem.h"

#define IDS_FIRST_SIZE 16

void policy_ids_fini(struct policy_ids *ids)
{
	free(ids->places);
	*ids = (struct policy_ids){.last = ids->last};
}

static struct policy_place *place_of(const struct policy_ids *ids, uint64_t id)
{
	return &ids->places[id & (ids->size - 1)];
}

static void grow(struct policy_ids *ids)
{
	struct policy_ids old = *ids;

	ids->size = old.size ? old.size * 2 : IDS_FIRST_SIZE;
	ids->places = mem_new(ids->size * sizeof *ids->places);
	for (size_t i = 0; i < old.size; i++)
		if (old.places[i].id)
			*place_of(ids, old.places[i].id) = old.places[i];
	free(old.places);
}

uint64_t policy_ids_add(struct policy_ids *ids, void *value)
{
	uint64_t id = ids->last + 1;

	if (ids->used * 2 >= ids->size)
		grow(ids);
	while (place_of(ids, id)->id)
		id++;
	*place_of(ids, id) = (struct policy_place){.id = id, .value = value};
	ids->used++;
	ids->last = id;
	return id;
}

struct policy_place *policy_ids_find(const struct policy_ids *ids, uint64_t id)
{
	if (!id || !ids->size || place_of(ids, id)->id != id)
		return NULL;
	return place_of(ids, id);
}

void policy_ids_remove(struct policy_ids *ids, struct policy_place *place)
{
	*place = (struct policy_place){0};
	ids->used--;
}
