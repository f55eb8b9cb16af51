/* Whatever the quick reader reads, jansson reads in the same way under the rules of strict_json. */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/quick_json.h"
#include "protocol/strict_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const json_t *value, unsigned depth)
{
	const char *key;
	json_t *item;
	size_t i;

	assert(!json_is_real(value) && depth <= STRICT_JSON_DEPTH_MAX + 1);
	if (json_is_integer(value))
		assert(json_integer_value(value) >= 0 &&
		       json_integer_value(value) <= STRICT_JSON_INTEGER_MAX);
	json_array_foreach(value, i, item) check(item, depth + 1);
	json_object_foreach((json_t *)(uintptr_t)value, key, item) check(item, depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size ? size : 1);
	json_t *quick, *other;

	memcpy(line, data, size);
	quick = quick_json_object(line, size);
	if (quick) {
		other = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
		assert(json_equal(quick, other));
		check(quick, 1);
		json_decref(other);
	}
	json_decref(quick);
	free(line);
	return 0;
}
