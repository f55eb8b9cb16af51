#include "fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "protocol/grow.h"

#define NAME_MAX_OCTETS 64 /* of one part of a name; ours are shorter */

void *gatepost_kept_add(struct gatepost_kept *kept, void *item)
{
	if (kept->len == kept->size) {
		kept->size = grow_capacity(kept->size, kept->len + 1);
		kept->items = grow_resize(kept->items, kept->size * sizeof *kept->items);
	}
	kept->items[kept->len++] = item;
	return item;
}

void gatepost_kept_fini(struct gatepost_kept *kept)
{
	for (size_t i = 0; i < kept->len; i++)
		free(kept->items[i]);
	free(kept->items);
	*kept = (struct gatepost_kept){0};
}

static const json_t *find_part(const json_t *value, const char *part)
{
	char *end;
	unsigned long i;

	if (!json_is_array(value))
		return json_object_get(value, part);
	i = strtoul(part, &end, 10);
	return *part >= '0' && *part <= '9' && !*end ? json_array_get(value, i) : NULL;
}

const json_t *gatepost_fields_find(const json_t *object, const char *name)
{
	char part[NAME_MAX_OCTETS];
	size_t len;

	for (;;) {
		len = strcspn(name, ".");
		if (len >= sizeof part)
			return NULL;
		memcpy(part, name, len);
		part[len] = '\0';
		object = find_part(object, part);
		if (!name[len])
			return object;
		name += len + 1;
	}
}

const char *gatepost_fields_octets(const json_t *object, const char *name,
				   struct gatepost_kept *kept, size_t *len)
{
	char exact[4 * NAME_MAX_OCTETS];
	const json_t *value = gatepost_fields_find(object, name), *encoded = NULL;

	if (snprintf(exact, sizeof exact, "%s_b64", name) < (int)sizeof exact)
		encoded = gatepost_fields_find(object, exact);
	if (json_is_string(encoded))
		return gatepost_kept_add(kept,
					 gatepost_base64_decode(json_string_value(encoded),
								json_string_length(encoded), len));
	if (!json_is_string(value))
		return NULL;
	*len = json_string_length(value);
	return json_string_value(value);
}
