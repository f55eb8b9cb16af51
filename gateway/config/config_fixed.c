#include "config_fixed.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define TEXT_MAX 65536

/* At the top; hostname because subscribers were told it. */
static const char *const settings[] = {"hostname", "runtime_dir", "spool_dir", "user", "http"};
/* Mappings of which all settings are the hub's, but for what workers leave out of events. */
static const char *const groups[] = {"events"};

static bool is_one_of(const char *key, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], key) == 0)
			return true;
	}
	return false;
}

static bool is_fixed(const struct setting_group *group, const struct setting *s)
{
	if (!*group->key)
		return is_one_of(s->key, settings, sizeof settings / sizeof *settings);
	return !group->list && s->kind != KIND_REDACT &&
	       is_one_of(group->key, groups, sizeof groups / sizeof *groups);
}

/* As the file has it, or would have it to say the same. */
static char *text_of(const struct setting *s, const void *raw)
{
	const struct config_texts *texts = raw;
	const char *text = s->many ? NULL : *(char *const *)raw;
	struct buf joined;
	char *copy;

	if (!s->many)
		return mem_copy_string(text ? text : s->need == NEED_DEFAULT ? s->text : "");
	buf_init(&joined, TEXT_MAX);
	for (size_t i = 0; i < texts->len; i++)
		buf_printf(&joined, "%s%s", i ? "," : "", texts->items[i]);
	copy = mem_copy_bytes(joined.len ? buf_head(&joined) : "", joined.len);
	buf_fini(&joined);
	return copy;
}

static void add(struct config *config, const char *group, const char *key, char *text)
{
	struct config_fixed *fixed;

	config->fixed = mem_resize(config->fixed, (config->fixed_len + 1) * sizeof *config->fixed);
	fixed = &config->fixed[config->fixed_len++];
	snprintf(fixed->setting, sizeof fixed->setting, "%s%s%s", group, *group ? "." : "", key);
	fixed->text = text;
}

void config_fixed_read(const struct raw_config *raw, struct config *config)
{
	for (unsigned i = 0; i < SETTINGS_MAX; i++) {
		const struct setting_group *group = &setting_groups[i];
		/* A group that is no list has its place at the top. */
		const char *from = (const char *)raw + (*group->key ? group->from.items : 0);

		for (size_t j = 0; j < group->len; j++) {
			const struct setting *s = &group->settings[j];

			if (is_fixed(group, s))
				add(config, group->key, s->key, text_of(s, from + s->from));
		}
	}
}

bool config_can_follow(const struct config *old, const struct config *new, FILE *errors)
{
	char error[CONFIG_BLAME_SIZE];
	bool good = true;

	/* Both are made from the one table. */
	for (size_t i = 0; i < new->fixed_len; i++) {
		const struct config_fixed *was = &old->fixed[i], *is = &new->fixed[i];

		if (strcmp(was->text, is->text) == 0)
			continue;
		good = false;
		snprintf(error, sizeof error, "needs a restart to change");
		config_blame(new, is->setting, error, sizeof error);
		fprintf(errors, "%s\n", error);
	}
	return good;
}

void config_fixed_free(struct config *config)
{
	for (size_t i = 0; i < config->fixed_len; i++)
		free(config->fixed[i].text);
	free(config->fixed);
	config->fixed = NULL;
	config->fixed_len = 0;
}
