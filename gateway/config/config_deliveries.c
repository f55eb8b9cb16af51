#include "config_deliveries.h"

#include <stdarg.h>
#include <string.h>

#include "net/address.h"

#define KIND(kind) (1u << CONFIG_DELIVERY_##kind)
#define RELAYS	   (KIND(SMTP) | KIND(LMTP))

static const char *const kind_words[CONFIG_DELIVERY_MAX] = {
	[CONFIG_DELIVERY_MAILDIR] = "maildir", [CONFIG_DELIVERY_SMTP] = "smtp",
	[CONFIG_DELIVERY_LMTP] = "lmtp",       [CONFIG_DELIVERY_SERVICE] = "service",
	[CONFIG_DELIVERY_DISCARD] = "discard",
};

/* `what` is wrong with the member of the delivery at this place. */
static void fault(struct config_source *source, size_t place, const char *member, const char *what)
{
	char path[CONFIG_PATH_SIZE];

	snprintf(path, sizeof path, "deliveries[%zu]%s%s", place, *member ? "." : "", member);
	config_source_fault(source, path, "%s", what);
}

static bool is_word(const char *raw, const char *word)
{
	return raw && strcmp(raw, word) == 0;
}

/* --- its kind --- */

static void write_kinds(unsigned kinds, char *out, size_t size)
{
	size_t at = 0;

	for (unsigned i = 0; i < CONFIG_DELIVERY_MAX && at < size; i++) {
		if (kinds & 1u << i)
			at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "",
					       kind_words[i]);
	}
}

/* The one kind; CONFIG_DELIVERY_MAX after a fault, here or in `discard`. */
static enum config_delivery_kind check_kind(struct config_source *source, size_t place,
					    const struct raw_delivery *d)
{
	const bool has[CONFIG_DELIVERY_MAX] = {
		[CONFIG_DELIVERY_MAILDIR] = d->maildir != NULL,
		[CONFIG_DELIVERY_SMTP] = d->smtp.len != 0,
		[CONFIG_DELIVERY_LMTP] = d->lmtp.len != 0,
		[CONFIG_DELIVERY_SERVICE] = d->service != NULL,
		[CONFIG_DELIVERY_DISCARD] = is_word(d->discard, "true"),
	};
	enum config_delivery_kind kind = CONFIG_DELIVERY_MAX;
	unsigned kinds = 0, n = 0;
	char words[64], what[160];

	for (unsigned i = 0; i < CONFIG_DELIVERY_MAX; i++) {
		if (!has[i])
			continue;
		kinds |= 1u << i;
		kind = (enum config_delivery_kind)i;
		n++;
	}
	if (n == 1)
		return kind;
	if (n > 1) {
		write_kinds(kinds, words, sizeof words);
		snprintf(what, sizeof what, "has more than one kind; keep one of %s", words);
		fault(source, place, "", what);
	} else if (!d->discard || is_word(d->discard, "false")) {
		fault(source, place, "",
		      "has no kind; add one of maildir, smtp, lmtp, service, or discard: true");
	}
	return CONFIG_DELIVERY_MAX;
}

/* A setting without effect is one whose operator believes in an effect. */
static void check_belonging(struct config_source *source, size_t place,
			    enum config_delivery_kind kind)
{
	static const struct {
		const char *key;
		unsigned kinds;
		const char *what;
	} settings[] = {
#define FOR_RELAYS(key) {key, RELAYS, "is for smtp and lmtp only; remove it"}
		FOR_RELAYS("order"),
		FOR_RELAYS("tls"),
		FOR_RELAYS("tls_name"),
		FOR_RELAYS("tls_ca"),
		FOR_RELAYS("show_client"),
		FOR_RELAYS("user"),
		FOR_RELAYS("password_file"),
		FOR_RELAYS("connections"),
		FOR_RELAYS("reuse"),
		FOR_RELAYS("idle"),
		FOR_RELAYS("timeout"),
#undef FOR_RELAYS
		{"recipients", KIND(LMTP),
		 "is for lmtp only, whose server answers for each recipient after the message; "
		 "remove it"},
	};
	char path[CONFIG_PATH_SIZE];

	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		snprintf(path, sizeof path, "deliveries[%zu].%s", place, settings[i].key);
		if (!(settings[i].kinds & 1u << kind) && config_source_has(source, path))
			fault(source, place, settings[i].key, settings[i].what);
	}
}

/* --- smtp and lmtp --- */

static void check_repeated(struct config_source *source, size_t place, const char *key,
			   const struct config_texts *addresses)
{
	char member[64];

	for (size_t i = 0; i < addresses->len; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(addresses->items[i], addresses->items[j]) != 0)
				continue;
			snprintf(member, sizeof member, "%s[%zu]", key, i);
			fault(source, place, member, "named twice; remove one");
			break;
		}
	}
}

/* A faulty word of tls, reported already, is none of them. */
static void check_tls(struct config_source *source, size_t place, const struct raw_delivery *d)
{
	static const char no_effect[] =
		"has no effect, since no certificate is looked at: set tls to verified, or remove "
		"this";
	bool unverified = !d->tls || is_word(d->tls, "none") || is_word(d->tls, "opportunistic");

	if (is_word(d->tls, "verified") && !d->tls_name)
		fault(source, place, "tls",
		      "needs the name that the server's certificate must have: set tls_name");
	if (unverified && d->tls_name)
		fault(source, place, "tls_name", no_effect);
	if (unverified && d->tls_ca)
		fault(source, place, "tls_ca", no_effect);
}

static void check_login(struct config_source *source, size_t place, const struct raw_delivery *d)
{
	if (d->user && !d->password_file)
		fault(source, place, "user", "needs a password: set password_file");
	if (d->password_file && !d->user)
		fault(source, place, "password_file", "needs the name it belongs to: set user");
	if (d->user && is_word(d->tls, "none"))
		fault(source, place, "user",
		      "never said in clear: set tls to verified or opportunistic");
}

/* --- service --- */

/* NULL: there is none. */
static struct config_policy *policy_named(const struct config *config, const char *name)
{
	for (size_t i = 0; name && i < config->policies_len; i++) {
		if (config->policies[i].name && strcmp(config->policies[i].name, name) == 0)
			return &config->policies[i];
	}
	return NULL;
}

__attribute__((format(printf, 4, 5))) static void policy_fault(struct config_source *source,
							       size_t place, const char *member,
							       const char *format, ...)
{
	char path[CONFIG_PATH_SIZE], what[256];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	snprintf(path, sizeof path, "policies[%zu].%s", place, member);
	config_source_fault(source, path, "%s", what);
}

/* A failed question at message that lets the mail through would say 250 for mail that nobody has.
 * The first class of failure that does tells where it is chosen. */
static void check_failures(struct config_source *source, size_t place,
			   const struct config_policy *p)
{
	const enum verdict_kind *actions = p->actions[HOOK_MESSAGE];
	char member[64] = "on_failure";
	unsigned class = 0;

	while (class < FAILURE_CHOICES && actions[class] != VERDICT_ACCEPT &&
	       actions[class] != VERDICT_QUARANTINE)
		class ++;
	if (class == FAILURE_CHOICES)
		return;
	for (size_t i = p->failures_len; i--;) {
		if (p->failures[i].hooks & 1u << HOOK_MESSAGE &&
		    p->failures[i].classes & 1u << class)
			snprintf(member, sizeof member, "failures[%zu].action", i);
	}
	policy_fault(source, place, member,
		     "mail that it never took over would get a 250: choose tempfail, reject or "
		     "disconnect, or let an entry of failures for message do so first");
}

static void check_service(struct config_source *source, struct config *config, size_t delivery,
			  const char *name)
{
	struct config_policy *p = policy_named(config, name);
	size_t place;

	if (!p || p->delivers)
		return;
	p->delivers = true;
	place = (size_t)(p - config->policies);
	if (p->mode == CONFIG_MODE_SHADOW)
		policy_fault(source, place, "mode",
			     "deliveries[%zu] leaves mail to it, and a shadow takes none: set mode "
			     "to enforce",
			     delivery);
	if (p->hooks && !(p->hooks & 1u << HOOK_MESSAGE))
		policy_fault(source, place, "hooks",
			     "deliveries[%zu] leaves mail to it at message: add message", delivery);
	else
		check_failures(source, place, p);
}

/* --- the listeners --- */

static void listener_fault(struct config_source *source, size_t place, const char *member,
			   const char *what)
{
	char path[CONFIG_PATH_SIZE];

	snprintf(path, sizeof path, "listeners[%zu].%s", place, member);
	config_source_fault(source, path, "%s", what);
}

/* A policy that takes mail over does so wherever it is asked. */
static void check_policies(struct config_source *source, const struct config *config,
			   size_t listener, const struct config_texts *names, const char *service)
{
	const struct config_policy *p;
	char member[64];

	if (policy_named(config, service) &&
	    (!names->len || strcmp(names->items[names->len - 1], service) != 0))
		listener_fault(source, listener, "policies",
			       "the service of its delivery decides last: put its name at the end");
	for (size_t i = 0; i < names->len; i++) {
		p = policy_named(config, names->items[i]);
		if (!p || !p->delivers || (service && strcmp(names->items[i], service) == 0))
			continue;
		snprintf(member, sizeof member, "policies[%zu]", i);
		listener_fault(source, listener, member,
			       "takes mail over, and the delivery here is another: remove it, or "
			       "name a delivery whose service it is");
	}
}

/* Each recipient would be asked of us again, until there is no connection left. */
static void check_circle(struct config_source *source, size_t listener, const char *address,
			 size_t delivery, const struct config_texts *servers, const char *key)
{
	struct address own, server;
	char member[64], what[160];

	if (!address || !address_parse(address, &own) ||
	    (!address_is_unix(&own) && !address_port(&own)))
		return;
	for (size_t i = 0; i < servers->len; i++) {
		if (!servers->items[i] || !address_parse(servers->items[i], &server) ||
		    own.len != server.len || memcmp(&own.storage, &server.storage, own.len) != 0)
			continue;
		snprintf(member, sizeof member, "%s[%zu]", key, i);
		snprintf(what, sizeof what,
			 "is the address of listeners[%zu], whose mail would go in a circle; name "
			 "another server",
			 listener);
		fault(source, delivery, member, what);
	}
}

static void check_listener(struct config_source *source, const struct raw_config *raw,
			   const struct config *config, size_t i)
{
	const struct config_listener *l = &config->listeners[i];
	const struct config_delivery *d = &config->deliveries[l->delivery];
	const char *name = raw->listeners[i].delivery;

	if (!config->deliveries_len || !name || !d->name || strcmp(name, d->name) != 0)
		return;
	if (l->accept_any && (RELAYS & 1u << d->kind))
		listener_fault(source, i, "accept_domains",
			       "any, and a delivery that passes mail on, is an open relay: name "
			       "your own domains");
	check_circle(source, i, l->address, l->delivery, &d->smtp, "smtp");
	check_circle(source, i, l->address, l->delivery, &d->lmtp, "lmtp");
	if (d->kind != CONFIG_DELIVERY_MAX)
		check_policies(source, config, i, &raw->listeners[i].policies,
			       raw->deliveries[l->delivery].service);
}

void config_deliveries_check(struct config_source *source, const struct raw_config *raw,
			     struct config *config)
{
	for (size_t i = 0; i < config->deliveries_len; i++) {
		const struct raw_delivery *from = &raw->deliveries[i];
		struct config_delivery *d = &config->deliveries[i];

		d->kind = check_kind(source, i, from);
		if (d->kind == CONFIG_DELIVERY_MAX)
			continue;
		check_belonging(source, i, d->kind);
		if (RELAYS & 1u << d->kind) {
			check_repeated(source, i, "smtp", &from->smtp);
			check_repeated(source, i, "lmtp", &from->lmtp);
			check_tls(source, i, from);
			check_login(source, i, from);
		}
		if (d->kind == CONFIG_DELIVERY_SERVICE)
			check_service(source, config, i, from->service);
	}
	for (size_t i = 0; i < config->listeners_len; i++)
		check_listener(source, raw, config, i);
}
