/* config_check: the rules that hold between settings. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config.h"
#include "config_schema.h"
#include "config_source.h"

/* Resolves names to places and `any` to accept_any, and reports what does not fit together. A
 * member that is NULL because its value was faulty is passed over. `raw` has as many entries in
 * each list as `config`. */
void config_check(struct config_source *source, const struct raw_config *raw,
		  struct config *config);

#endif
