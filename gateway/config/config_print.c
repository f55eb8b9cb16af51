#include "config.h"

#include "config_settings.h"
#include "config_value.h"

#define INDENT_MAX 32

/* `indent` is the whole indentation; `lead` stands in its place before the key: blanks, or "- " at
 * the end. */
static void print_setting(FILE *out, const struct setting_group *group, const struct setting *s,
			  const char *indent, const char *lead)
{
	static const char *const needs[] = {
		[NEED_DEFAULT] = "Default ",
		[NEED_REQUIRED] = "Required",
		[NEED_OPTIONAL] = "Optional",
	};
	bool shown = group->required && s->need == NEED_REQUIRED;
	char want[CONFIG_WANT_SIZE];

	fprintf(out, "## %s%s\n", indent, s->help);
	fprintf(out, "## %s%s%s; %s%s.\n", indent, needs[s->need],
		s->need == NEED_DEFAULT ? s->text : "", s->many ? "each entry " : "",
		config_value_want(s, want));
	fprintf(out, "%s%s%s: %s\n\n", shown ? "" : "#", lead, s->key, s->text);
}

/* One mapping with those inside it, its keys `depth` blanks from the left; in a list, the first of
 * them after a "- ". */
static void print_group(FILE *out, enum setting_place place, int depth)
{
	const struct setting_group *group = &setting_groups[place];
	char indent[INDENT_MAX], first[INDENT_MAX];

	if (*group->key) {
		fprintf(out, "%s%*s%s:\n", group->required ? "" : "#", depth, "", group->key);
		depth += group->list ? 4 : 2;
	}
	snprintf(indent, sizeof indent, "%*s", depth, "");
	snprintf(first, sizeof first, "%*s%s", depth - (group->list ? 2 : 0), "",
		 group->list ? "- " : "");
	for (size_t i = 0; i < group->len; i++)
		print_setting(out, group, &group->settings[i], indent, i ? indent : first);
	for (unsigned i = place + 1; i < SETTINGS_MAX; i++) {
		if (setting_groups[i].parent == place)
			print_group(out, (enum setting_place)i, depth);
	}
}

void config_print_defaults(FILE *out)
{
	fputs("## gatepost.yaml: every setting. A line that starts with one # shows a default\n"
	      "## or an example: remove the # to set it. The lines without # must be there.\n\n",
	      out);
	print_group(out, SETTINGS_GATEWAY, 0);
}
