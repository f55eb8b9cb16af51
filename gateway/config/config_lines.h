/* config_lines: walks the file's YAML events along libcyaml's schema before libcyaml does.
 *
 * libcyaml stops at the first fault and often cannot name its line. This walk finds the faults of
 * form - broken YAML, unknown and repeated keys, a list where one value belongs - all of them and
 * with their lines, and notes the line of every setting for the stages that judge values. */
#ifndef CONFIG_LINES_H
#define CONFIG_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "config_source.h"

struct cyaml_schema_value;

/* True when libcyaml can load the text, that is when unknown keys are the only faults found. */
bool config_lines_read(struct config_source *source, const char *data, size_t len,
		       const struct cyaml_schema_value *schema);

#endif
