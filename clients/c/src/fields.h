/* fields: the values of a message by their names, and the octets behind them. */
#ifndef GATEPOST_FIELDS_H
#define GATEPOST_FIELDS_H

#include <jansson.h>
#include <stddef.h>

/* Memory that lives as long as its owner; zeroed: none. */
struct gatepost_kept {
	void **items;
	size_t len, size;
};

/* Takes over what malloc() gave. Returns it. */
void *gatepost_kept_add(struct gatepost_kept *kept, void *item);
void gatepost_kept_fini(struct gatepost_kept *kept);

/* The value at "a.b.c" below an object, numbers being places in an array; NULL when there is none.
 */
const json_t *gatepost_fields_find(const json_t *object, const char *name);
/* The exact octets of the string at `name`, decoded from its _b64 when there is one. Lives in
 * `kept` or in the object. NULL when there is no string. */
const char *gatepost_fields_octets(const json_t *object, const char *name,
				   struct gatepost_kept *kept, size_t *len);

#endif
