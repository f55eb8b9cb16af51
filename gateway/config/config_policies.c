#include "config_policies.h"

#include <stdarg.h>
#include <string.h>

/* Every listener tells these. */
#define FACTS_ALWAYS                                                                               \
	(1u << HOOK_FACT_CLIENT | 1u << HOOK_FACT_LISTENER | 1u << HOOK_FACT_HELO |                \
	 1u << HOOK_FACT_MAIL | 1u << HOOK_FACT_RECIPIENTS | 1u << HOOK_FACT_LABELS)

/* `what` is wrong at the path that the rest makes. */
__attribute__((format(printf, 3, 4))) static void fault(struct config_source *source,
							const char *what, const char *path, ...)
{
	char member[CONFIG_PATH_SIZE];
	va_list args;

	va_start(args, path);
	vsnprintf(member, sizeof member, path, args);
	va_end(args);
	config_source_fault(source, member, "%s", what);
}

/* The client goes on as if it had been accepted. A faulty or absent value, reported already, does
 * nothing. */
static bool goes_on(const char *raw)
{
	return raw && (strcmp(raw, "accept") == 0 || strcmp(raw, "quarantine") == 0);
}

/* Sets what no entry before has set. False when there was nothing left to set. */
static bool resolve_entry(const struct config_failure *f, unsigned hooks,
			  enum verdict_kind actions[HOOK_MAX][FAILURE_CHOICES],
			  unsigned set[HOOK_MAX])
{
	bool any = false;

	for (unsigned hook = 0; hook < HOOK_MAX; hook++) {
		unsigned classes = f->classes & ~set[hook];

		if (!(f->hooks & hooks & 1u << hook))
			continue;
		for (unsigned failure = 0; failure < FAILURE_CHOICES; failure++) {
			if (!(classes & 1u << failure))
				continue;
			actions[hook][failure] = f->action;
			any = true;
		}
		set[hook] |= f->classes;
	}
	return any;
}

static void check_failures(struct config_source *source, size_t place, const struct raw_policy *raw,
			   struct config_policy *p)
{
	/* What is only told has no reply to wait for, and cannot fail. */
	unsigned set[HOOK_MAX] = {0}, hooks = p->hooks & ~(1u << HOOK_DISCONNECT);

	for (unsigned hook = 0; hook < HOOK_MAX; hook++) {
		for (unsigned failure = 0; failure < FAILURE_CHOICES; failure++)
			p->actions[hook][failure] = p->on_failure;
	}
	/* An entry for all hooks is a tempfail at auth; who names auth means it. */
	for (size_t i = 0; i < p->failures_len; i++) {
		const struct config_failure *f = &p->failures[i];
		bool has_effect = resolve_entry(f, hooks, p->actions, set);

		if (goes_on(raw->failures[i].action) && f->hooks & 1u << HOOK_AUTH &&
		    (raw->failures[i].hooks.len || hooks == 1u << HOOK_AUTH))
			fault(source,
			      "would let anybody log in: take auth out of hooks, or choose "
			      "tempfail, reject or disconnect",
			      "policies[%zu].failures[%zu].action", place, i);
		/* A mask is empty when its words were faulty. */
		if (!has_effect && p->hooks && f->hooks && f->classes)
			fault(source,
			      "has no effect: the policy is not asked there, or entries before "
			      "have all of it; remove it",
			      "policies[%zu].failures[%zu]", place, i);
	}
	if (goes_on(raw->on_failure) && hooks == 1u << HOOK_AUTH)
		fault(source, "would let anybody log in: choose tempfail, reject or disconnect",
		      "policies[%zu].on_failure", place);
}

static void check_shadow(struct config_source *source, size_t place, const struct config_policy *p)
{
	if (p->mode != CONFIG_MODE_SHADOW)
		return;
	if (p->required)
		fault(source,
		      "a shadow decides nothing, so nothing can need it: remove this, or set mode "
		      "to enforce",
		      "policies[%zu].required", place);
	if (p->grants)
		fault(source,
		      "a shadow decides nothing, so there is nothing to grant: remove this, or set "
		      "mode to enforce",
		      "policies[%zu].grants", place);
}

/* What requests from this listener can have in them besides. Who speaks XCLIENT says the name of
 * the client and who has logged in; a client on a Unix socket has no address to look up. */
static unsigned listener_facts(const struct config_listener *l)
{
	bool is_unix = l->address && strncmp(l->address, "unix:", 5) == 0;
	unsigned facts = 0;

	if ((l->resolve_names && !is_unix) || l->xclient.len)
		facts |= 1u << HOOK_FACT_CLIENT_NAME;
	if (l->proxy_protocol.len)
		facts |= 1u << HOOK_FACT_CLIENT_PROXY;
	if (l->tls != CONFIG_TLS_NONE)
		facts |= 1u << HOOK_FACT_TLS;
	if (l->client_certificates != TLS_CLIENT_CERTIFICATES_NONE)
		facts |= 1u << HOOK_FACT_TLS_PEER;
	if (l->auth || l->xclient.len)
		facts |= 1u << HOOK_FACT_AUTH;
	return facts;
}

void config_policies_check(struct config_source *source, const struct raw_config *raw,
			   struct config *config)
{
	for (size_t i = 0; i < config->policies_len; i++) {
		check_failures(source, i, &raw->policies[i], &config->policies[i]);
		check_shadow(source, i, &config->policies[i]);
		config->policies[i].facts = FACTS_ALWAYS;
	}
	for (size_t i = 0; i < config->listeners_len; i++) {
		const struct config_listener *l = &config->listeners[i];

		for (size_t j = 0; j < l->policies_len && config->policies_len; j++)
			config->policies[l->policies[j]].facts |= listener_facts(l);
	}
}
