#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config_check.h"
#include "config_lines.h"
#include "config_schema.h"
#include "config_settings.h"
#include "config_source.h"
#include "config_value.h"

/* Room for tens of thousands of domains; without a limit `-c /dev/zero` would eat the machine. */
#define FILE_MAX  (1024u * 1024u)
#define READ_SIZE 16384

/* False after a fault; *error is then why it cannot be read, 0 when it is only too large. */
static bool read_file(struct config_source *source, struct buf *text, int *error)
{
	FILE *in = fopen(source->file, "re");
	size_t n = 1, room;

	while (in && n) {
		char *space = buf_space(text, READ_SIZE, &room);

		n = fread(space, 1, room, in);
		buf_added(text, n);
	}
	*error = !in || ferror(in) ? errno : 0;
	if (in)
		fclose(in);
	if (*error)
		config_source_fault(source, "", "cannot be read: %s", strerror(*error));
	else if (text->len > FILE_MAX)
		config_source_fault(source, "", "is larger than 1M; a configuration never is");
	else
		return true;
	return false;
}

static void read_one(struct config_source *source, const struct setting *s, const char *path,
		     const char *text, void *to)
{
	char want[CONFIG_WANT_SIZE], quote[CONFIG_QUOTE_SIZE];

	if (!text && s->need == NEED_REQUIRED) {
		config_source_fault(source, path, "missing; it must be %s",
				    config_value_want(s, want));
	} else if (!text && s->need == NEED_DEFAULT) {
		bool good = config_value_read(s, s->text, to);

		assert(good);
		(void)good;
	} else if (text && s->kind != KIND_DELIVERY && !config_value_read(s, text, to)) {
		int error = errno;

		config_source_fault(source, path, "\"%s\" is not %s%s%s",
				    config_source_quote(text, strlen(text), quote),
				    config_value_want(s, want), error ? ": " : "",
				    error ? strerror(error) : "");
	}
}

/* Room for the entries of a list. Returns the place of the first one; *stride is the way to the
 * next, 0 where each adds its bit to the same mask. */
static char *make_room(const struct setting *s, size_t len, void *to, size_t *stride)
{
	struct config_blocks *blocks = to;
	struct config_texts *texts = to;

	if (s->kind == KIND_HOOKS) {
		*stride = 0;
		*(unsigned *)to = len ? 0 : ~0u;
		return to;
	}
	if (s->kind == KIND_BLOCKS) {
		*stride = sizeof *blocks->items;
		blocks->items = mem_new(len * *stride);
		blocks->len = len;
		return (char *)blocks->items;
	}
	*stride = sizeof *texts->items;
	texts->items = mem_new(len * *stride);
	texts->len = len;
	return (char *)texts->items;
}

static void read_many(struct config_source *source, const struct setting *s, const char *path,
		      const struct config_texts *texts, void *to)
{
	char entry[CONFIG_PATH_SIZE], *first;
	size_t stride;

	if (s->kind == KIND_POLICIES)
		return;
	if (!texts->len && s->need == NEED_REQUIRED)
		read_one(source, s, path, NULL, to);
	first = make_room(s, texts->len, to, &stride);
	for (size_t i = 0; i < texts->len; i++) {
		snprintf(entry, sizeof entry, "%.200s[%zu]", path, i);
		read_one(source, s, entry, texts->items[i], first + i * stride);
	}
}

/* One mapping of the file: `raw` and `values` are the structs its group's offsets are of. */
static void read_group(struct config_source *source, const struct setting_group *group,
		       const char *path, const void *raw, void *values)
{
	char member[CONFIG_PATH_SIZE];

	for (size_t i = 0; i < group->len; i++) {
		const struct setting *s = &group->settings[i];
		const void *from = (const char *)raw + s->from;
		void *to = (char *)values + s->to;

		snprintf(member, sizeof member, "%s%s%s", path, *path ? "." : "", s->key);
		if (s->many)
			read_many(source, s, member, from, to);
		else
			read_one(source, s, member, *(char *const *)from, to);
	}
}

/* A list of mappings. */
static void *read_groups(struct config_source *source, enum setting_place place, const void *raw,
			 size_t raw_size, size_t value_size, size_t len)
{
	const struct setting_group *group = &setting_groups[place];
	char *values = mem_new(len * value_size), path[CONFIG_PATH_SIZE];

	for (size_t i = 0; i < len; i++) {
		snprintf(path, sizeof path, "%s%s%s[%zu]", group->key, group->inner ? "." : "",
			 group->inner ? group->inner : "", i);
		read_group(source, group, path, (const char *)raw + i * raw_size,
			   values + i * value_size);
	}
	return values;
}

/* gethostname() only: to ask the DNS for a longer name could hold up the start for a minute. */
static void read_machine_name(struct config_source *source, char **to)
{
	char name[256] = "", quote[CONFIG_QUOTE_SIZE];

	gethostname(name, sizeof name - 1);
	if (!config_value_read(&setting_groups[SETTINGS_GATEWAY].settings[0], name, to))
		config_source_fault(source, "hostname",
				    "the machine's name \"%s\" is not a domain name; set it here",
				    config_source_quote(name, strlen(name), quote));
}

/* A class of failure without an action of its own has that of on_failure. */
static void resolve_failures(struct config_policy *policy)
{
	enum verdict_kind *const classes[] = {&policy->on_unavailable, &policy->on_overload,
					      &policy->on_timeout, &policy->on_lost};

	static const enum verdict_kind kinds[] = {VERDICT_ACCEPT, VERDICT_TEMPFAIL, VERDICT_REJECT,
						  VERDICT_DISCONNECT};

	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		*classes[i] = kinds[*classes[i] == 4 ? policy->on_failure : *classes[i]];
	policy->on_failure = kinds[policy->on_failure];
}

static struct config *read_values(struct config_source *source, const struct raw_config *raw)
{
	struct config *config = mem_new(sizeof *config);

	read_group(source, &setting_groups[SETTINGS_GATEWAY], "", raw, config);
	if (!raw->hostname)
		read_machine_name(source, &config->hostname);
	config->listeners_len = raw->listeners_count;
	config->listeners =
		read_groups(source, SETTINGS_LISTENER, raw->listeners, sizeof *raw->listeners,
			    sizeof *config->listeners, raw->listeners_count);
	config->tls.certificates_len = raw->tls.certificates_count;
	config->tls.certificates = read_groups(
		source, SETTINGS_CERTIFICATE, raw->tls.certificates, sizeof *raw->tls.certificates,
		sizeof *config->tls.certificates, raw->tls.certificates_count);
	read_group(source, &setting_groups[SETTINGS_TLS], "tls", &raw->tls, config);
	config->policies_len = raw->policies_count;
	config->policies =
		read_groups(source, SETTINGS_POLICY, raw->policies, sizeof *raw->policies,
			    sizeof *config->policies, raw->policies_count);
	for (size_t i = 0; i < config->policies_len; i++)
		resolve_failures(&config->policies[i]);
	config->deliveries_len = raw->deliveries_count;
	config->deliveries =
		read_groups(source, SETTINGS_DELIVERY, raw->deliveries, sizeof *raw->deliveries,
			    sizeof *config->deliveries, raw->deliveries_count);
	read_group(source, &setting_groups[SETTINGS_LIMITS], "limits", &raw->limits, config);
	read_group(source, &setting_groups[SETTINGS_RESOLVER], "resolver", &raw->resolver, config);
	read_group(source, &setting_groups[SETTINGS_EVENTS], "events", &raw->events, config);
	read_group(source, &setting_groups[SETTINGS_LOG], "log", &raw->log, config);
	return config;
}

static struct config *load_text(struct config_source *source, const char *data, size_t len)
{
	struct raw_config *raw = NULL;
	struct config *config = NULL;

	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) { /* some editors' byte order mark */
		data += 3;
		len -= 3;
	}
	if (config_lines_read(source, data, len, &config_schema))
		raw = config_schema_load(source, data, len);
	if (!raw)
		return NULL;
	config = read_values(source, raw);
	config_check(source, raw, config);
	config_schema_free(&raw);
	if (source->faults)
		config_free(&config);
	return config;
}

struct config *config_load(const char *path, FILE *errors)
{
	struct config_source source;
	struct config *config = NULL;
	struct buf text;
	int error;

	buf_init(&text, FILE_MAX + 1);
	config_source_init(&source, path, errors);
	if (read_file(&source, &text, &error))
		config = load_text(&source, buf_head(&text), text.len);
	buf_fini(&text);
	config_source_fini(&source);
	errno = error;
	return config;
}

static void free_group(enum setting_place place, void *values)
{
	const struct setting_group *group = &setting_groups[place];

	for (size_t i = 0; i < group->len; i++)
		config_value_free(&group->settings[i], (char *)values + group->settings[i].to);
}

void config_free(struct config **config)
{
	struct config *c = *config;

	if (!c)
		return;
	for (size_t i = 0; i < c->listeners_len; i++) {
		free_group(SETTINGS_LISTENER, &c->listeners[i]);
		free(c->listeners[i].policies);
	}
	for (size_t i = 0; i < c->tls.certificates_len; i++)
		free_group(SETTINGS_CERTIFICATE, &c->tls.certificates[i]);
	for (size_t i = 0; i < c->policies_len; i++)
		free_group(SETTINGS_POLICY, &c->policies[i]);
	for (size_t i = 0; i < c->deliveries_len; i++)
		free_group(SETTINGS_DELIVERY, &c->deliveries[i]);
	free(c->listeners);
	free(c->tls.certificates);
	free(c->policies);
	free(c->deliveries);
	free_group(SETTINGS_GATEWAY, c);
	free_group(SETTINGS_TLS, c);
	free_group(SETTINGS_LIMITS, c);
	free_group(SETTINGS_RESOLVER, c);
	free_group(SETTINGS_EVENTS, c);
	free_group(SETTINGS_LOG, c);
	free(c);
	*config = NULL;
}
