#include "config_check.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config_deliveries.h"
#include "config_policies.h"
#include "net/address.h"
#include "net/passed.h"

/* Listeners, policies and deliveries as a list of names: the name is the first member of each. */
struct named {
	const char *key;
	const void *list;
	size_t stride, len;
};

_Static_assert(offsetof(struct config_listener, name) == 0 &&
		       offsetof(struct config_policy, name) == 0 &&
		       offsetof(struct config_delivery, name) == 0,
	       "the name is the first member");

static const char *name_at(const struct named *n, size_t i)
{
	return *(char *const *)(const void *)((const char *)n->list + i * n->stride);
}

/* n->len when there is none. */
static size_t place_of(const struct named *n, const char *name)
{
	size_t i = 0;

	while (i < n->len && (!name_at(n, i) || strcmp(name_at(n, i), name) != 0))
		i++;
	return i;
}

static void check_unique(struct config_source *source, const struct named *n)
{
	char path[CONFIG_PATH_SIZE];

	for (size_t i = 0; i < n->len; i++) {
		size_t first = name_at(n, i) ? place_of(n, name_at(n, i)) : i;

		if (first == i)
			continue;
		snprintf(path, sizeof path, "%s[%zu].name", n->key, i);
		config_source_fault(source, path,
				    "\"%s\" is already the name of %s[%zu]; change one",
				    name_at(n, i), n->key, first);
	}
}

/* The place of the name, with a fault and 0 when there is none. */
static size_t resolve(struct config_source *source, const char *path, const struct named *n,
		      const char *name)
{
	char quote[CONFIG_QUOTE_SIZE], known[256] = "";
	size_t place = place_of(n, name), at = 0;

	if (place < n->len)
		return place;
	for (size_t i = 0; i < n->len && at + NAME_MAX_OCTETS + 3 < sizeof known; i++) {
		if (name_at(n, i))
			at += (size_t)snprintf(known + at, sizeof known - at, "%s%s",
					       at ? ", " : "", name_at(n, i));
	}
	config_source_fault(source, path, "nothing under %s is named \"%s\"; there is: %s", n->key,
			    config_source_quote(name, strlen(name), quote), at ? known : "none");
	return 0;
}

static void resolve_policies(struct config_source *source, const char *listener,
			     const struct named *policies, const struct config_texts *names,
			     struct config_listener *to)
{
	char path[CONFIG_PATH_SIZE];

	to->policies = mem_new(names->len * sizeof *to->policies);
	for (size_t i = 0; i < names->len; i++) {
		bool repeated = false;

		for (size_t j = 0; j < i; j++)
			repeated |= strcmp(names->items[i], names->items[j]) == 0;
		snprintf(path, sizeof path, "%.200s.policies[%zu]", listener, i);
		if (repeated)
			config_source_fault(source, path, "named twice; remove one");
		else
			to->policies[to->policies_len++] =
				resolve(source, path, policies, names->items[i]);
	}
}

/* "any" says so alone; among domains it would make the others a lie. */
static void resolve_any(struct config_source *source, const char *listener,
			struct config_listener *to)
{
	struct config_texts *domains = &to->accept_domains;
	char path[CONFIG_PATH_SIZE];

	for (size_t i = 0; i < domains->len; i++) {
		if (!domains->items[i] || strcmp(domains->items[i], "any") != 0)
			continue;
		if (domains->len > 1) {
			snprintf(path, sizeof path, "%.200s.accept_domains[%zu]", listener, i);
			config_source_fault(source, path,
					    "any stands alone; remove it or the other entries");
			return;
		}
		free(domains->items[0]);
		free(domains->items);
		*domains = (struct config_texts){0};
		to->accept_any = true;
	}
}

/* True when the setting has this word, said or by default; a faulty value, reported already, is no
 * word. */
static bool is_word(const char *raw, const char *word, bool by_default)
{
	return raw ? strcmp(raw, word) == 0 : by_default;
}

static void member_fault(struct config_source *source, const char *listener, const char *member,
			 const char *what)
{
	char path[CONFIG_PATH_SIZE];

	snprintf(path, sizeof path, "%.180s.%.64s", listener, member);
	config_source_fault(source, path, "%s", what);
}

static void check_tls(struct config_source *source, const char *listener,
		      const struct raw_config *raw, const struct raw_listener *from,
		      const struct config_listener *l)
{
	bool none = is_word(from->tls, "none", true);

	if (l->tls != CONFIG_TLS_NONE && !raw->tls.certificates_count)
		member_fault(source, listener, "tls",
			     "needs a certificate and its key; set them in tls.certificates");
	if (l->require_tls && none)
		member_fault(source, listener, "require_tls",
			     "no client could ever send mail: set tls to starttls or implicit");
	if (l->client_certificates != TLS_CLIENT_CERTIFICATES_NONE && none)
		member_fault(source, listener, "client_certificates",
			     "no client could ever show one: set tls to starttls or implicit");
	if (l->client_certificates == TLS_CLIENT_CERTIFICATES_REQUIRE && !raw->tls.client_ca)
		member_fault(source, listener, "client_certificates",
			     "none would ever verify: set tls.client_ca");
	if (l->auth && none)
		member_fault(source, listener, "auth",
			     "never offered in clear: set tls to starttls or implicit");
}

/* A block of every address. */
static void check_bounded(struct config_source *source, const char *listener, const char *member,
			  const struct config_blocks *blocks, const char *what)
{
	char entry[64];

	for (size_t i = 0; i < blocks->len; i++) {
		if (!blocks->items[i].length || blocks->items[i].bits)
			continue;
		snprintf(entry, sizeof entry, "%s[%zu]", member, i);
		member_fault(source, listener, entry, what);
	}
}

static void check_peers(struct config_source *source, const char *listener,
			const struct config_listener *l)
{
	const struct {
		const char *key;
		const struct config_blocks *blocks;
	} lists[] = {{"proxy_protocol", &l->proxy_protocol},
		     {"xclient", &l->xclient},
		     {"relay_clients", &l->relay_clients}};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		if (lists[i].blocks->len && l->address && strncmp(l->address, "unix:", 5) == 0)
			member_fault(source, listener, lists[i].key,
				     "has no effect on a Unix socket, whose peers have no IP "
				     "address; remove it");
	}
	check_bounded(source, listener, "relay_clients", &l->relay_clients,
		      "is everybody: an open relay; name your own clients");
	/* Who may say for whom he speaks may say LOGIN, or an address of relay_clients. */
	check_bounded(source, listener, "xclient", &l->xclient,
		      "is everybody, and anybody could claim to be anybody; name your own peers");
	if (l->relay_clients.len)
		check_bounded(source, listener, "proxy_protocol", &l->proxy_protocol,
			      "is everybody, and anybody could claim to be one of relay_clients: "
			      "an open relay; name your load balancers");
}

/* With SO_REUSEPORT the kernel would bind both and deal the clients out between them. */
static void check_addresses(struct config_source *source, const struct config *config)
{
	char path[CONFIG_PATH_SIZE];
	struct address a, b;

	for (size_t i = 0; i < config->listeners_len; i++) {
		const char *text = config->listeners[i].address;

		if (!text || (address_parse(text, &a) && !address_is_unix(&a) && !address_port(&a)))
			continue;
		for (size_t j = 0; j < i; j++) {
			const char *other = config->listeners[j].address;

			if (!other || (strcmp(text, other) != 0 &&
				       (!address_parse(other, &b) || a.len != b.len ||
					memcmp(&a.storage, &b.storage, a.len) != 0)))
				continue;
			snprintf(path, sizeof path, "listeners[%zu].address", i);
			config_source_fault(source, path,
					    "is already the address of listeners[%zu]; change one",
					    j);
			break;
		}
	}
}

/* `gatepost check` is given none, and cannot know. */
static void check_passed(struct config_source *source, const char *path, const char *address)
{
	const char *name = address ? strchr(address, ':') + 1 : "";
	char names[256];

	if (!address || strncmp(address, CONFIG_PASSED, strlen(CONFIG_PASSED)) != 0 ||
	    !passed_is_known() || passed_socket(name, 0) >= 0)
		return;
	config_source_fault(
		source, path,
		"no socket named \"%s\" was passed on; give one this name (FileDescriptorName= of "
		"the socket unit); passed on: %s",
		name, passed_names(names, sizeof names));
}

/* Without privileges there is nothing to give up, so the setting does nothing. */
static void check_user(struct config_source *source, const struct config *config)
{
	if (geteuid() == 0 && config->user && !getpwnam(config->user))
		config_source_fault(source, "user",
				    "there is no account \"%s\"; create it or name another",
				    config->user);
}

static void check_present(struct config_source *source, const char *key, size_t len)
{
	if (!len)
		config_source_fault(source, key, "missing; there must be at least one");
}

void config_check(struct config_source *source, const struct raw_config *raw, struct config *config)
{
	const struct named listeners = {"listeners", config->listeners, sizeof *config->listeners,
					config->listeners_len};
	const struct named policies = {"policies", config->policies, sizeof *config->policies,
				       config->policies_len};
	const struct named deliveries = {"deliveries", config->deliveries,
					 sizeof *config->deliveries, config->deliveries_len};
	char path[CONFIG_PATH_SIZE], address[CONFIG_PATH_SIZE], delivery[CONFIG_PATH_SIZE];

	check_user(source, config);
	check_passed(source, "http", config->http);
	check_present(source, "listeners", config->listeners_len);
	check_present(source, "deliveries", config->deliveries_len);
	check_unique(source, &listeners);
	check_unique(source, &policies);
	check_unique(source, &deliveries);
	check_addresses(source, config);
	for (size_t i = 0; i < config->listeners_len; i++) {
		struct config_listener *l = &config->listeners[i];
		const struct raw_listener *from = &raw->listeners[i];

		snprintf(path, sizeof path, "listeners[%zu]", i);
		check_tls(source, path, raw, from, l);
		check_peers(source, path, l);
		snprintf(address, sizeof address, "listeners[%zu].address", i);
		check_passed(source, address, l->address);
		resolve_any(source, path, l);
		resolve_policies(source, path, &policies, &from->policies, l);
		snprintf(delivery, sizeof delivery, "listeners[%zu].delivery", i);
		if (from->delivery)
			l->delivery = resolve(source, delivery, &deliveries, from->delivery);
	}
	for (size_t i = 0; i < config->deliveries_len; i++) {
		snprintf(path, sizeof path, "deliveries[%zu].service", i);
		if (raw->deliveries[i].service)
			config->deliveries[i].service =
				resolve(source, path, &policies, raw->deliveries[i].service);
	}
	config_policies_check(source, raw, config);
	config_deliveries_check(source, raw, config);
}
