#include "config_tls.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/tls_client_context.h"

static const char *const versions[] = {
	[CONFIG_TLS_1_2] = "1.2",
	[CONFIG_TLS_1_3] = "1.3",
};

static bool is_needed(const struct config *config, enum tls_client_certificates asked)
{
	for (size_t i = 0; i < config->listeners_len; i++) {
		const struct config_listener *l = &config->listeners[i];

		if (l->tls != CONFIG_TLS_NONE && l->client_certificates == asked)
			return true;
	}
	return false;
}

/* Each worker opens its own, and would not start. */
static bool authorities_are_good(const struct config *config, char *error, size_t size)
{
	bool good = true;

	for (size_t i = 0; good && i < config->deliveries_len; i++) {
		const struct config_delivery *d = &config->deliveries[i];
		struct tls_client_settings settings = {
			.ca = d->tls_ca, .name = d->tls_name, .verify = true};
		struct tls_client_context *context;
		char setting[64];

		if (!d->tls_name)
			continue;
		context = tls_client_context_new(&settings, error, size);
		good = context != NULL;
		if (!good) {
			snprintf(setting, sizeof setting, "deliveries[%zu].tls_ca", i);
			config_blame(config, setting, error, size);
		}
		tls_client_context_free(&context);
	}
	return good;
}

bool config_tls_open(const struct config *config, struct tls_tickets *tickets,
		     struct tls_context *contexts[static 1], char *error, size_t size)
{
	size_t n = config->tls.certificates_len;
	struct tls_certificate *certificates = mem_new(n * sizeof *certificates);
	bool good = authorities_are_good(config, error, size);

	for (size_t i = 0; i < n; i++) {
		certificates[i].certificate = config->tls.certificates[i].certificate;
		certificates[i].key = config->tls.certificates[i].key;
	}
	for (unsigned i = 0; i < CONFIG_TLS_CONTEXTS_MAX; i++) {
		struct tls_settings settings = {
			.certificates = certificates,
			.certificates_len = n,
			.client_certificates = (enum tls_client_certificates)i,
			.client_ca = config->tls.client_ca,
			.min_version = versions[config->tls.min_version],
			.tickets = tickets,
		};

		contexts[i] = NULL;
		if (good && is_needed(config, settings.client_certificates)) {
			contexts[i] = tls_context_new(&settings, error, size);
			good = contexts[i] != NULL;
			if (!good)
				config_blame(config, "tls", error, size);
		}
	}
	free(certificates);
	if (!good)
		config_tls_close(contexts);
	return good;
}

void config_tls_close(struct tls_context *contexts[static 1])
{
	for (unsigned i = 0; i < CONFIG_TLS_CONTEXTS_MAX; i++)
		tls_context_free(&contexts[i]);
}
