#include "config.h"

#include <string.h>

#include "config_settings.h"
#include "config_value.h"

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

/* `continued`: the group before was of the same mapping. */
static void print_group(FILE *out, const struct setting_group *group, bool continued)
{
	const char *mark = group->required ? "" : "#";
	const char *indent = "", *first = "";

	if (*group->key) {
		if (!continued)
			fprintf(out, "%s%s:\n", mark, group->key);
		indent = first = "  ";
	}
	if (group->inner)
		fprintf(out, "%s  %s:\n", mark, group->inner);
	if (group->list) {
		indent = group->inner ? "      " : "    ";
		first = group->inner ? "    - " : "  - ";
	}
	for (size_t i = 0; i < group->len; i++)
		print_setting(out, group, &group->settings[i], indent, i ? indent : first);
}

void config_print_defaults(FILE *out)
{
	fputs("## gatepost.yaml: every setting. A line that starts with one # shows a default\n"
	      "## or an example: remove the # to set it. The lines without # must be there.\n\n",
	      out);
	for (unsigned i = 0; i < SETTINGS_MAX; i++)
		print_group(out, &setting_groups[i],
			    i && strcmp(setting_groups[i].key, setting_groups[i - 1].key) == 0);
}
