#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config_check.h"
#include "config_fixed.h"
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

static bool is_for_cross_checks(enum setting_kind kind)
{
	return kind == KIND_DELIVERY || kind == KIND_POLICY || kind == KIND_POLICIES;
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
	} else if (text && !is_for_cross_checks(s->kind) && !config_value_read(s, text, to)) {
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
	struct config_uids *uids = to;

	if (config_value_bit(s->kind, 0)) {
		*stride = 0;
		bool all = s->kind == KIND_HOOKS || s->kind == KIND_CLASSES;

		*(unsigned *)to = len || !all ? 0 : ~0u;
		return to;
	}
	if (s->kind == KIND_BLOCKS) {
		*stride = sizeof *blocks->items;
		blocks->items = mem_new(len * *stride);
		blocks->len = len;
		return (char *)blocks->items;
	}
	if (s->kind == KIND_UIDS) {
		*stride = sizeof *uids->items;
		uids->items = mem_new(len * *stride);
		uids->len = len;
		return (char *)uids->items;
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

	if (is_for_cross_checks(s->kind))
		return;
	if (!texts->len && s->need == NEED_REQUIRED)
		read_one(source, s, path, NULL, to);
	first = make_room(s, texts->len, to, &stride);
	for (size_t i = 0; i < texts->len; i++) {
		snprintf(entry, sizeof entry, "%.200s[%zu]", path, i);
		read_one(source, s, entry, texts->items[i], first + i * stride);
	}
}

static void read_settings(struct config_source *source, const struct setting_group *group,
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

static void read_group(struct config_source *source, enum setting_place place, const char *path,
		       const void *raw, void *values);

/* A list of mappings: makes the array of their values. */
static void read_list(struct config_source *source, enum setting_place place, const char *path,
		      const void *raw, void *values)
{
	const struct setting_group *group = &setting_groups[place];
	char entry[CONFIG_PATH_SIZE], *to;
	const char *from;
	size_t len;

	memcpy(&from, (const char *)raw + group->from.items, sizeof from);
	memcpy(&len, (const char *)raw + group->from.len, sizeof len);
	to = mem_new(len * group->to.size);
	memcpy((char *)values + group->to.items, &to, sizeof to);
	memcpy((char *)values + group->to.len, &len, sizeof len);
	for (size_t i = 0; i < len; i++) {
		snprintf(entry, sizeof entry, "%.200s[%zu]", path, i);
		read_group(source, place, entry, from + i * group->from.size,
			   to + i * group->to.size);
	}
}

/* One mapping of the file, with those inside it: `raw` and `values` are the structs that its
 * group's offsets are of. */
static void read_group(struct config_source *source, enum setting_place place, const char *path,
		       const void *raw, void *values)
{
	char inner[CONFIG_PATH_SIZE];

	read_settings(source, &setting_groups[place], path, raw, values);
	for (unsigned i = place + 1; i < SETTINGS_MAX; i++) {
		const struct setting_group *group = &setting_groups[i];

		if (group->parent != place)
			continue;
		snprintf(inner, sizeof inner, "%.200s%s%s", path, *path ? "." : "", group->key);
		if (group->list)
			read_list(source, (enum setting_place)i, inner, raw, values);
		else
			read_group(source, (enum setting_place)i, inner,
				   (const char *)raw + group->from.items, values);
	}
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

static void keep_lines(struct config_source *source, struct config *config)
{
	config->file = mem_copy_string(source->file);
	config->lines = source->lines;
	config->lines_len = source->lines_len;
	source->lines = NULL;
	source->lines_len = source->lines_size = 0;
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
	config = mem_new(sizeof *config);
	read_group(source, SETTINGS_GATEWAY, "", raw, config);
	if (!raw->hostname)
		read_machine_name(source, &config->hostname);
	config_check(source, raw, config);
	config_fixed_read(raw, config);
	keep_lines(source, config);
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
	for (unsigned i = place + 1; i < SETTINGS_MAX; i++) {
		const struct setting_group *inner = &setting_groups[i];
		size_t len = 1;
		char *items = values;

		if (inner->parent != place)
			continue;
		if (inner->list) {
			memcpy(&items, (char *)values + inner->to.items, sizeof items);
			memcpy(&len, (char *)values + inner->to.len, sizeof len);
		}
		for (size_t j = 0; j < len; j++)
			free_group((enum setting_place)i, items + j * inner->to.size);
		if (inner->list)
			free(items);
	}
}

void config_blame(const struct config *config, const char *setting, char *error, size_t size)
{
	char *why = mem_copy_string(error);
	size_t line = config_source_line(config->lines, config->lines_len, setting);

	if (config->file && line)
		snprintf(error, size, "%s:%zu: %s: %s", config->file, line, setting, why);
	else if (config->file)
		snprintf(error, size, "%s: %s: %s", config->file, setting, why);
	free(why);
}

void config_free(struct config **config)
{
	if (!*config)
		return;
	free_group(SETTINGS_GATEWAY, *config);
	config_fixed_free(*config);
	config_source_free_lines((*config)->lines, (*config)->lines_len);
	free((*config)->file);
	free(*config);
	*config = NULL;
}
