/* config_schema: the settings table as a libcyaml schema, and the file's texts as libcyaml loads
 * them.
 *
 * Every value is loaded as a text: libcyaml would take 12abc for a number's fault without a line,
 * and knows no sizes or times. config_value.c reads the texts. */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "config_settings.h"
#include "config_source.h"

/* A text is NULL, and a list has no items, where the file does not hold the setting. */
#define RAW_ONE(key, ...)  char *key;
#define RAW_MANY(key, ...) struct config_texts key;

struct raw_listener {
	LISTENER_SETTINGS(RAW_ONE, RAW_MANY)
};

struct raw_certificate {
	CERTIFICATE_SETTINGS(RAW_ONE, RAW_MANY)
};

struct raw_failure {
	FAILURE_SETTINGS(RAW_ONE, RAW_MANY)
};

struct raw_policy {
	POLICY_SETTINGS(RAW_ONE, RAW_MANY)
	struct raw_failure *failures;
	size_t failures_count;
};

struct raw_delivery {
	DELIVERY_SETTINGS(RAW_ONE, RAW_MANY)
};

struct raw_limits {
	LIMITS_SETTINGS(RAW_ONE, RAW_MANY)
};

struct raw_events {
	EVENTS_SETTINGS(RAW_ONE, RAW_MANY)
};

struct raw_log {
	LOG_SETTINGS(RAW_ONE, RAW_MANY)
};

struct raw_resolver {
	RESOLVER_SETTINGS(RAW_ONE, RAW_MANY)
};

struct raw_tls {
	TLS_SETTINGS(RAW_ONE, RAW_MANY)
	struct raw_certificate *certificates;
	size_t certificates_count;
};

struct raw_config {
	GATEWAY_SETTINGS(RAW_ONE, RAW_MANY)
	struct raw_listener *listeners;
	size_t listeners_count;
	struct raw_tls tls;
	struct raw_policy *policies;
	size_t policies_count;
	struct raw_delivery *deliveries;
	size_t deliveries_count;
	struct raw_limits limits;
	struct raw_resolver resolver;
	struct raw_events events;
	struct raw_log log;
};

struct cyaml_schema_value;
extern const struct cyaml_schema_value config_schema;

/* Loads what config_lines_read() found to have the schema's shape; unknown keys are left out, for
 * that has reported them. NULL after a fault. */
struct raw_config *config_schema_load(struct config_source *source, const char *data, size_t len);
void config_schema_free(struct raw_config **raw);

#endif
