#include "config_schema.h"

#include <cyaml/cyaml.h>

/* A group's settings and its libcyaml fields, from its lines of the table. RAW is the struct
 * libcyaml fills, VALUES the one of config.h that gets the values, TO(key) the member there. */
#define SETTING(name, kind_, many_, need_, text_, low_, high_, words_, help_)                      \
	{.key = #name,                                                                             \
	 .kind = KIND_##kind_,                                                                     \
	 .many = many_,                                                                            \
	 .need = NEED_##need_,                                                                     \
	 .text = text_,                                                                            \
	 .low = low_,                                                                              \
	 .high = high_,                                                                            \
	 .words = words_,                                                                          \
	 .help = help_,                                                                            \
	 .from = offsetof(RAW, name),                                                              \
	 .to = offsetof(VALUES, TO(name))},
#define SETTING_ONE(key, kind, need, text, low, high, words, help)                                 \
	SETTING(key, kind, false, need, text, low, high, words, help)
#define SETTING_MANY(key, kind, need, text, low, high, words, help)                                \
	SETTING(key, kind, true, need, text, low, high, words, help)

/* Optional for libcyaml: what must be there is said by config_value.c, in better words. */
#define FIELD_FLAGS	    (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define FIELD_ONE(key, ...) CYAML_FIELD_STRING_PTR(#key, FIELD_FLAGS, RAW, key, 0, CYAML_UNLIMITED),
#define FIELD_MANY(key, kind, need, text, low, high, ...)                                          \
	CYAML_FIELD_SEQUENCE_COUNT(#key, FIELD_FLAGS, RAW, key.items, key.len, &text_entry, low,   \
				   high),

/* The one value of a list: a list of mappings. */
#define ENTRY(type, fields)                                                                        \
	{                                                                                          \
		CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, type, fields)                              \
	}
static const cyaml_schema_value_t text_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};

#define RAW	struct raw_listener
#define VALUES	struct config_listener
#define TO(key) key
static const struct setting listener_settings[] = {LISTENER_SETTINGS(SETTING_ONE, SETTING_MANY)};
static const cyaml_schema_field_t listener_fields[] = {LISTENER_SETTINGS(FIELD_ONE, FIELD_MANY)
							       CYAML_FIELD_END};
#undef RAW
#undef VALUES

#define RAW    struct raw_certificate
#define VALUES struct config_certificate
static const struct setting certificate_settings[] = {
	CERTIFICATE_SETTINGS(SETTING_ONE, SETTING_MANY)};
static const cyaml_schema_field_t certificate_fields[] = {
	CERTIFICATE_SETTINGS(FIELD_ONE, FIELD_MANY) CYAML_FIELD_END};
#undef RAW
#undef VALUES

#define RAW    struct raw_failure
#define VALUES struct config_failure
static const struct setting failure_settings[] = {FAILURE_SETTINGS(SETTING_ONE, SETTING_MANY)};
static const cyaml_schema_field_t failure_fields[] = {FAILURE_SETTINGS(FIELD_ONE, FIELD_MANY)
							      CYAML_FIELD_END};
#undef RAW
#undef VALUES

#define RAW    struct raw_policy
#define VALUES struct config_policy
static const cyaml_schema_value_t failure_entry = ENTRY(struct raw_failure, failure_fields);
static const struct setting policy_settings[] = {POLICY_SETTINGS(SETTING_ONE, SETTING_MANY)};
static const cyaml_schema_field_t policy_fields[] = {
	POLICY_SETTINGS(FIELD_ONE, FIELD_MANY) CYAML_FIELD_SEQUENCE(
		"failures", FIELD_FLAGS, RAW, failures, &failure_entry, 0, FAILURES_MAX),
	CYAML_FIELD_END};
#undef RAW
#undef VALUES

#define RAW    struct raw_delivery
#define VALUES struct config_delivery
static const struct setting delivery_settings[] = {DELIVERY_SETTINGS(SETTING_ONE, SETTING_MANY)};
static const cyaml_schema_field_t delivery_fields[] = {DELIVERY_SETTINGS(FIELD_ONE, FIELD_MANY)
							       CYAML_FIELD_END};
#undef RAW
#undef VALUES
#undef TO

#define VALUES struct config

#define RAW	struct raw_tls
#define TO(key) tls.key
static const cyaml_schema_value_t certificate_entry =
	ENTRY(struct raw_certificate, certificate_fields);
static const struct setting tls_settings[] = {TLS_SETTINGS(SETTING_ONE, SETTING_MANY)};
static const cyaml_schema_field_t tls_fields[] = {
	CYAML_FIELD_SEQUENCE("certificates", FIELD_FLAGS, RAW, certificates, &certificate_entry, 1,
			     CERTIFICATES_MAX),
	TLS_SETTINGS(FIELD_ONE, FIELD_MANY) CYAML_FIELD_END};
#undef RAW
#undef TO

#define RAW	struct raw_limits
#define TO(key) limits.key
static const struct setting limits_settings[] = {LIMITS_SETTINGS(SETTING_ONE, SETTING_MANY)};
static const cyaml_schema_field_t limits_fields[] = {LIMITS_SETTINGS(FIELD_ONE, FIELD_MANY)
							     CYAML_FIELD_END};
#undef RAW
#undef TO

#define RAW	struct raw_resolver
#define TO(key) resolver.key
static const struct setting resolver_settings[] = {RESOLVER_SETTINGS(SETTING_ONE, SETTING_MANY)};
static const cyaml_schema_field_t resolver_fields[] = {RESOLVER_SETTINGS(FIELD_ONE, FIELD_MANY)
							       CYAML_FIELD_END};
#undef RAW
#undef TO

#define RAW	struct raw_events
#define TO(key) events.key
static const struct setting events_settings[] = {EVENTS_SETTINGS(SETTING_ONE, SETTING_MANY)};
static const cyaml_schema_field_t events_fields[] = {EVENTS_SETTINGS(FIELD_ONE, FIELD_MANY)
							     CYAML_FIELD_END};
#undef RAW
#undef TO

#define RAW	   struct raw_log
#define LOG_level  level
#define LOG_format json
#define LOG_file   file
#define TO(key)	   log.LOG_##key
static const struct setting log_settings[] = {LOG_SETTINGS(SETTING_ONE, SETTING_MANY)};
static const cyaml_schema_field_t log_fields[] = {LOG_SETTINGS(FIELD_ONE, FIELD_MANY)
							  CYAML_FIELD_END};
#undef RAW
#undef TO

static const cyaml_schema_value_t listener_entry = ENTRY(struct raw_listener, listener_fields);
static const cyaml_schema_value_t policy_entry = ENTRY(struct raw_policy, policy_fields);
static const cyaml_schema_value_t delivery_entry = ENTRY(struct raw_delivery, delivery_fields);

#define RAW	struct raw_config
#define TO(key) key
static const struct setting gateway_settings[] = {GATEWAY_SETTINGS(SETTING_ONE, SETTING_MANY)};
static const cyaml_schema_field_t gateway_fields[] = {
	GATEWAY_SETTINGS(FIELD_ONE, FIELD_MANY) CYAML_FIELD_SEQUENCE(
		"listeners", FIELD_FLAGS, RAW, listeners, &listener_entry, 1, GROUP_ENTRIES_MAX),
	CYAML_FIELD_MAPPING("tls", CYAML_FLAG_OPTIONAL, RAW, tls, tls_fields),
	CYAML_FIELD_SEQUENCE("policies", FIELD_FLAGS, RAW, policies, &policy_entry, 0,
			     GROUP_ENTRIES_MAX),
	CYAML_FIELD_SEQUENCE("deliveries", FIELD_FLAGS, RAW, deliveries, &delivery_entry, 1,
			     GROUP_ENTRIES_MAX),
	CYAML_FIELD_MAPPING("limits", CYAML_FLAG_OPTIONAL, RAW, limits, limits_fields),
	CYAML_FIELD_MAPPING("resolver", CYAML_FLAG_OPTIONAL, RAW, resolver, resolver_fields),
	CYAML_FIELD_MAPPING("events", CYAML_FLAG_OPTIONAL, RAW, events, events_fields),
	CYAML_FIELD_MAPPING("log", CYAML_FLAG_OPTIONAL, RAW, log, log_fields),
	CYAML_FIELD_END};

const struct cyaml_schema_value config_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, gateway_fields)};
#undef RAW
#undef TO
#undef VALUES

#define SETTINGS(name) .settings = name##_settings, .len = CYAML_ARRAY_LEN(name##_settings)
/* A list: `member` of RAW becomes `to_member` of VALUES. */
#define LIST(member, to_member)                                                                    \
	.list = true,                                                                              \
	.from = {offsetof(RAW, member), offsetof(RAW, member##_count),                             \
		 sizeof *((RAW *)NULL)->member},                                                   \
	.to = {offsetof(VALUES, to_member), offsetof(VALUES, to_member##_len),                     \
	       sizeof *((VALUES *)NULL)->to_member}
/* One mapping at the top, whose values are members of struct config. */
#define PART(name)                                                                                 \
	.key = #name, .from = {.items = offsetof(struct raw_config, name)}, SETTINGS(name)

const struct setting_group setting_groups[SETTINGS_MAX] = {
#define RAW    struct raw_config
#define VALUES struct config
	[SETTINGS_GATEWAY] = {.key = "", SETTINGS(gateway)},
	[SETTINGS_LISTENER] = {.key = "listeners",
			       .required = true,
			       LIST(listeners, listeners),
			       SETTINGS(listener)},
	[SETTINGS_POLICY] = {.key = "policies", LIST(policies, policies), SETTINGS(policy)},
	[SETTINGS_DELIVERY] = {.key = "deliveries",
			       .required = true,
			       LIST(deliveries, deliveries),
			       SETTINGS(delivery)},
	[SETTINGS_TLS] = {PART(tls)},
	[SETTINGS_LIMITS] = {PART(limits)},
	[SETTINGS_RESOLVER] = {PART(resolver)},
	[SETTINGS_EVENTS] = {PART(events)},
	[SETTINGS_LOG] = {PART(log)},
#undef RAW
#define RAW struct raw_tls
	[SETTINGS_CERTIFICATE] = {.key = "certificates",
				  .parent = SETTINGS_TLS,
				  LIST(certificates, tls.certificates),
				  SETTINGS(certificate)},
#undef RAW
#undef VALUES
#define RAW    struct raw_policy
#define VALUES struct config_policy
	[SETTINGS_FAILURE] = {.key = "failures",
			      .parent = SETTINGS_POLICY,
			      LIST(failures, failures),
			      SETTINGS(failure)},
#undef RAW
#undef VALUES
};

static const cyaml_config_t cyaml_settings = {
	.log_fn = NULL, /* config_lines.c has said it with the line */
	.mem_fn = cyaml_mem,
	.flags = CYAML_CFG_IGNORE_UNKNOWN_KEYS | CYAML_CFG_NO_ALIAS,
};

struct raw_config *config_schema_load(struct config_source *source, const char *data, size_t len)
{
	cyaml_data_t *raw = NULL;
	cyaml_err_t error = cyaml_load_data((const uint8_t *)data, len, &cyaml_settings,
					    &config_schema, &raw, NULL);

	if (error == CYAML_OK && raw)
		return raw;
	config_source_fault(source, "", "libcyaml refuses it: %s", cyaml_strerror(error));
	return NULL;
}

void config_schema_free(struct raw_config **raw)
{
	cyaml_free(&cyaml_settings, &config_schema, *raw, 0);
	*raw = NULL;
}
