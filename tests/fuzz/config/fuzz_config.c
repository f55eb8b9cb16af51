/* Any octets as the configuration file: a configuration without a fault, or faults without a
 * configuration. What is said is fit for a terminal and names the file; libcyaml never refuses what
 * the walk of the lines let pass; and of what is accepted, every place leads somewhere. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_faults(const char *faults, const char *file)
{
	while (*faults) {
		size_t len = strcspn(faults, "\n");

		assert(faults[len] == '\n' && !strncmp(faults, file, strlen(file)));
		assert(strncmp(faults + strlen(file), ": libcyaml ", 11) != 0);
		for (size_t i = 0; i < len; i++)
			assert(faults[i] >= ' ' && faults[i] <= '~');
		faults += len + 1;
	}
}

static void check_bounded(const struct config_blocks *blocks)
{
	for (size_t i = 0; i < blocks->len; i++)
		assert(blocks->items[i].length && blocks->items[i].bits);
}

static bool is_relay(const struct config_delivery *d)
{
	return d->kind == CONFIG_DELIVERY_SMTP || d->kind == CONFIG_DELIVERY_LMTP;
}

/* A policy that delivers is asked last, and only where it does. */
static void check_services(const struct config *config, const struct config_listener *l)
{
	const struct config_delivery *d = &config->deliveries[l->delivery];

	for (size_t i = 0; i < l->policies_len; i++) {
		if (config->policies[l->policies[i]].delivers)
			assert(i == l->policies_len - 1 && d->kind == CONFIG_DELIVERY_SERVICE &&
			       d->service == l->policies[i]);
	}
	if (d->kind == CONFIG_DELIVERY_SERVICE)
		assert(l->policies_len && l->policies[l->policies_len - 1] == d->service);
}

static void check_listener(const struct config *config, const struct config_listener *l)
{
	struct address address;

	assert(l->name && l->address && address_parse(l->address, &address));
	assert(l->delivery < config->deliveries_len);
	for (size_t i = 0; i < l->policies_len; i++)
		assert(l->policies[i] < config->policies_len);
	for (size_t i = 0; i < l->accept_domains.len; i++)
		assert(l->accept_domains.items[i] && !l->accept_any);
	assert(l->tls == CONFIG_TLS_NONE || config->tls.certificates_len);
	assert(l->tls != CONFIG_TLS_NONE || (!l->auth && !l->require_tls));
	if (l->client_certificates == TLS_CLIENT_CERTIFICATES_REQUIRE)
		assert(l->tls != CONFIG_TLS_NONE && config->tls.client_ca);
	assert(!l->accept_any || !is_relay(&config->deliveries[l->delivery]));
	check_services(config, l);
	check_bounded(&l->relay_clients);
	check_bounded(&l->xclient);
	if (l->relay_clients.len)
		check_bounded(&l->proxy_protocol);
	if (address_is_unix(&address))
		assert(!l->relay_clients.len && !l->xclient.len && !l->proxy_protocol.len);
}

static bool is_action(enum verdict_kind kind)
{
	return kind == VERDICT_ACCEPT || kind == VERDICT_QUARANTINE || kind == VERDICT_TEMPFAIL ||
	       kind == VERDICT_REJECT || kind == VERDICT_DISCONNECT;
}

/* Each entry decides somewhere; none that names auth lets anybody in. */
static void check_policy(const struct config_policy *p)
{
	assert(p->name && p->sockets.len && p->hooks && p->facts);
	assert(p->mode == CONFIG_MODE_ENFORCE || (!p->required && !p->grants));
	for (unsigned hook = 0; hook < HOOK_MAX; hook++) {
		for (unsigned failure = 0; failure < FAILURE_CHOICES; failure++)
			assert(is_action(p->actions[hook][failure]));
	}
	if (p->delivers) {
		assert(p->mode == CONFIG_MODE_ENFORCE && p->hooks & 1u << HOOK_MESSAGE);
		for (unsigned failure = 0; failure < FAILURE_CHOICES; failure++)
			assert(p->actions[HOOK_MESSAGE][failure] > VERDICT_QUARANTINE);
	}
	for (size_t i = 0; i < p->failures_len; i++) {
		const struct config_failure *f = &p->failures[i];

		assert(f->hooks & p->hooks && f->classes && is_action(f->action));
		assert(f->action > VERDICT_QUARANTINE || f->hooks == ~0u ||
		       !(f->hooks & 1u << HOOK_AUTH));
	}
}

static void check_addresses(const struct config_texts *texts)
{
	struct address address;

	for (size_t i = 0; i < texts->len; i++)
		assert(address_parse(texts->items[i], &address) &&
		       (address_is_unix(&address) || address_port(&address)));
}

static void check_delivery(const struct config *config, const struct config_delivery *d)
{
	bool verified = d->tls == CONFIG_DELIVERY_TLS_VERIFIED;

	assert(d->name && d->kind < CONFIG_DELIVERY_MAX);
	assert(!d->maildir == (d->kind != CONFIG_DELIVERY_MAILDIR));
	assert(!d->smtp.len == (d->kind != CONFIG_DELIVERY_SMTP));
	assert(!d->lmtp.len == (d->kind != CONFIG_DELIVERY_LMTP));
	assert(d->discard == (d->kind == CONFIG_DELIVERY_DISCARD));
	if (d->kind == CONFIG_DELIVERY_SERVICE)
		assert(config->policies_len && config->policies[d->service].delivers);
	assert(is_relay(d) || (!d->user && !d->tls_name && !d->tls_ca));
	assert(!d->tls_name == !verified && (verified || !d->tls_ca));
	assert(!d->user == !d->password_file && (!d->user || d->tls != CONFIG_DELIVERY_TLS_NONE));
	assert(d->connections && d->reuse && d->recipients && d->timeout >= 1);
	check_addresses(&d->smtp);
	check_addresses(&d->lmtp);
}

static void check_config(const struct config *config)
{
	assert(config->hostname && config->runtime_dir && config->spool_dir && config->user);
	assert(config->workers && config->listeners_len && config->deliveries_len);
	for (size_t i = 0; i < config->listeners_len; i++)
		check_listener(config, &config->listeners[i]);
	for (size_t i = 0; i < config->tls.certificates_len; i++)
		assert(config->tls.certificates[i].certificate && config->tls.certificates[i].key);
	for (size_t i = 0; i < config->policies_len; i++)
		check_policy(&config->policies[i]);
	for (size_t i = 0; i < config->deliveries_len; i++)
		check_delivery(config, &config->deliveries[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char file[32], *faults = NULL;
	size_t len = 0;
	FILE *errors = open_memstream(&faults, &len);
	int fd = memfd_create("gatepost.yaml", MFD_CLOEXEC);
	struct config *config;

	if (!errors || fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(file, sizeof file, "/proc/self/fd/%d", fd);
	config = config_load(file, errors);
	fclose(errors);
	close(fd);
	assert((config == NULL) == (len != 0));
	check_faults(faults, file);
	if (config)
		check_config(config);
	config_free(&config);
	free(faults);
	return 0;
}
