#include "relay.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/reaper.h"
#include "net/tls_client_context.h"
#include "relay_state.h"

static void copy_settings(struct relay *r, const struct relay_settings *from)
{
	struct relay_settings *to = &r->settings;

	*to = *from;
	to->name = mem_copy_string(from->name);
	to->tls_name = mem_copy_string(from->tls_name);
	to->tls_ca = mem_copy_string(from->tls_ca);
	to->user = mem_copy_string(from->user);
	to->password = mem_copy_string(from->password);
	to->hostname = mem_copy_string(from->hostname);
	r->addresses = mem_new(from->addresses_len * sizeof *r->addresses);
	for (size_t i = 0; i < from->addresses_len; i++)
		r->addresses[i] = mem_copy_string(from->addresses[i]);
	to->addresses = NULL; /* those of our own are beside it */
}

/* free() wants no const. */
static void free_string(const char *text)
{
	free((void *)(uintptr_t)text);
}

static void set_engine(struct relay *r)
{
	static const enum relay_engine_tls tls[] = {
		[RELAY_TLS_MODE_NONE] = RELAY_TLS_NONE,
		[RELAY_TLS_MODE_OPPORTUNISTIC] = RELAY_TLS_OPPORTUNISTIC,
		[RELAY_TLS_MODE_VERIFIED] = RELAY_TLS_REQUIRED,
	};

	r->engine = (struct relay_engine_settings){
		.lmtp = r->settings.lmtp,
		.hostname = r->settings.hostname,
		.tls = tls[r->settings.tls],
		.user = r->settings.user,
		.password = r->settings.password,
	};
	r->in_clear = r->engine;
	r->in_clear.tls = RELAY_TLS_NONE;
}

static bool set_tls(struct relay *r, char *error, size_t error_size)
{
	struct tls_client_settings settings = {
		.ca = r->settings.tls_ca,
		.name = r->settings.tls_name,
		.verify = r->settings.tls == RELAY_TLS_MODE_VERIFIED,
	};

	if (r->settings.tls == RELAY_TLS_MODE_NONE)
		return true;
	if (settings.verify && !settings.name) {
		snprintf(error, error_size, "verified TLS needs the name of the certificate");
		return false;
	}
	r->tls = tls_client_context_new(&settings, error, error_size);
	return r->tls;
}

static bool set_backends(struct relay *r, size_t len, char *error, size_t error_size)
{
	r->backends = mem_new(len * sizeof *r->backends);
	for (; r->backends_len < len; r->backends_len++) {
		const char *text = r->addresses[r->backends_len];

		if (!relay_backend_init(&r->backends[r->backends_len], r, text)) {
			snprintf(error, error_size, "\"%s\" is no address", text);
			return false;
		}
	}
	return true;
}

struct relay *relay_new(struct ev_loop *loop, const struct relay_settings *settings, char *error,
			size_t error_size)
{
	struct relay *r = mem_new(sizeof *r);

	assert(settings->addresses_len && settings->connections && settings->reuse);
	r->loop = loop;
	copy_settings(r, settings);
	set_engine(r);
	relay_pool_init(r);
	if (settings->addresses_len > RELAY_BACKENDS_MAX)
		snprintf(error, error_size, "more than %d addresses", RELAY_BACKENDS_MAX);
	else if (set_tls(r, error, error_size) &&
		 set_backends(r, settings->addresses_len, error, error_size)) {
		for (size_t i = 0; i < r->backends_len; i++)
			relay_backend_start(&r->backends[i]);
		return r;
	}
	relay_free(&r);
	return NULL;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

/* All must have it: which of them will get a message is not known when it is announced. */
static void join(struct relay_offer *all, const struct relay_engine_offer *one)
{
	all->eight_bit &= one->eight_bit;
	all->smtputf8 &= one->smtputf8;
	all->dsn &= one->dsn;
	all->binary &= one->binary;
	all->requiretls &= one->requiretls;
	all->size = smaller(all->size, one->size);
	all->recipients = (unsigned)smaller(all->recipients, one->recipients);
}

void relay_offer(const struct relay *r, struct relay_offer *offer)
{
	bool some_up = false;

	for (size_t i = 0; i < r->backends_len; i++)
		some_up |= r->backends[i].known && !r->backends[i].down;
	*offer = (struct relay_offer){
		.eight_bit = true,
		.smtputf8 = true,
		.dsn = true,
		.binary = true,
		.requiretls = r->settings.tls == RELAY_TLS_MODE_VERIFIED,
		.recipients = r->settings.lmtp ? r->settings.recipients : 0,
	};
	/* While all are down, what they last said is the best guess. */
	for (size_t i = 0; i < r->backends_len; i++) {
		const struct relay_backend *b = &r->backends[i];

		if (!b->known || (some_up && b->down))
			continue;
		offer->known = true;
		join(offer, &b->offer);
	}
	if (!offer->known)
		*offer = (struct relay_offer){.recipients = offer->recipients};
}

static void destroy(void *object)
{
	struct relay *r = object;

	for (size_t i = 0; i < r->settings.addresses_len; i++)
		free(r->addresses[i]);
	free(r->addresses);
	free(r->backends);
	tls_client_context_free(&r->tls);
	free_string(r->settings.name);
	free_string(r->settings.tls_name);
	free_string(r->settings.tls_ca);
	free_string(r->settings.user);
	free_string(r->settings.password);
	free_string(r->settings.hostname);
	free(r);
}

void relay_free(struct relay **relay)
{
	struct relay *r = *relay;

	if (!r)
		return;
	*relay = NULL;
	r->closed = true;
	for (size_t i = 0; i < r->backends_len; i++)
		relay_backend_fini(&r->backends[i]);
	relay_pool_fini(r);
	reaper_add(r->loop, r, destroy);
}
