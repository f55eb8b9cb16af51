/* gatepost.yaml(5) against the table of settings: each has its item, in the section of its group,
 * with its default and its range as the program itself says them; and no item is left of a setting
 * that is gone. The configurations that the page and README.md show are good. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config_file.h"
#include "config/config_settings.h"
#include "config/config_value.h"

static char *read_page(const char *name)
{
	char path[512];
	char *text = mem_new(65536);
	FILE *in;
	size_t n;

	snprintf(path, sizeof path, "%s/%s", GATEPOST_SOURCE_DIR, name);
	in = fopen(path, "re");
	if (!in)
		fail_msg("%s cannot be opened", path);
	n = fread(text, 1, 65535, in);
	assert_true(n > 0 && n < 65535);
	fclose(in);
	return text;
}

/* The text after the line `head`, up to the first line that starts with one of the two ends. Fails
 * the test when there is none. To be freed. */
static char *part_after(const char *text, const char *head, const char *end, const char *other_end)
{
	char line[128];
	const char *start, *stop, *other;

	snprintf(line, sizeof line, "\n%s\n", head);
	start = strstr(text, line);
	if (!start)
		fail_msg("the page has no line \"%s\"", head);
	start += strlen(line) - 1;
	stop = strstr(start, end);
	other = strstr(start, other_end);
	if (!stop || (other && other < stop))
		stop = other;
	assert_non_null(stop);
	return mem_copy_bytes(start, (size_t)(stop + 1 - start));
}

static void check_item(const char *section, const struct setting *s)
{
	static const char *const needs[] = {
		[NEED_DEFAULT] = "Default ",
		[NEED_REQUIRED] = "Required",
		[NEED_OPTIONAL] = "Optional",
	};
	char head[64], line[256], want[CONFIG_WANT_SIZE], *item;

	snprintf(head, sizeof head, ".It Ic %s", s->key);
	item = part_after(section, head, "\n.It ", "\n.El");
	snprintf(line, sizeof line, "\n%s%s; %s%s.\n", needs[s->need],
		 s->need == NEED_DEFAULT ? s->text : "", s->many ? "each entry " : "",
		 config_value_want(s, want));
	if (!strstr(item, line))
		fail_msg("the item of %s lacks this line:%s", s->key, line);
	free(item);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

static void test_every_setting_has_its_item(void **state)
{
	char *page = read_page("deploy/man/gatepost.yaml.5"), head[64];

	(void)state;
	for (size_t i = 0; i < SETTINGS_MAX; i++) {
		const struct setting_group *group = &setting_groups[i];
		char *section;

		snprintf(head, sizeof head, ".Ss %s%s%s", setting_groups[group->parent].key,
			 *setting_groups[group->parent].key ? "." : "",
			 *group->key ? group->key : "Top level");
		section = part_after(page, head, "\n.Ss ", "\n.Sh ");
		for (size_t j = 0; j < group->len; j++)
			check_item(section, &group->settings[j]);
		assert_int_equal(count(section, "\n.It Ic "), group->len);
		free(section);
	}
	free(page);
}

static void test_commands_have_their_sections(void **state)
{
	static const char *const lines[] = {
		"\n.Ss serve\n", "\n.Ss check\n", "\n.Ss events\n", "\n.It Fl -defaults\n",
		"\n.It 64\n",	 "\n.It 66\n",	  "\n.It 69\n",	    "\n.It 78\n",
	};
	char *page = read_page("deploy/man/gatepost.8");

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		if (!strstr(page, lines[i]))
			fail_msg("the page lacks the line%s", lines[i]);
	}
	free(page);
}

static char *replace_and_free(char *text, const char *find, const char *with)
{
	char *out = config_file_replace(text, find, with);

	free(text);
	return out;
}

/* `example`, with an account and files that are there. */
static void assert_good(char *example)
{
	struct loaded loaded;

	if (strstr(example, "certificates:")) {
		example = replace_and_free(example, "/etc/gatepost/tls/mx1.pem", "/etc/passwd");
		example = replace_and_free(example, "/etc/gatepost/tls/mx1.key", "/etc/group");
	}
	example = replace_and_free(example, "listeners:\n", "user: root\nlisteners:\n");
	config_file_load(example, strlen(example), &loaded);
	assert_string_equal(loaded.faults, "");
	config_file_fini(&loaded);
	free(example);
}

/* The example, with the lines of the one after it in place of its Maildir. */
static void assert_good_relay(const char *page, const char *head, const char *end,
			      const char *other)
{
	char *example = part_after(page, head, end, other);
	const char *rest = strstr(strstr(page, example) + strlen(example) - 1, end);
	char *lines = part_after(rest + strlen(end), head, end, other);

	assert_non_null(strstr(lines, "    smtp: ["));
	assert_good(replace_and_free(example, "    maildir: /var/mail/gatepost\n", lines + 1));
	free(lines);
}

static void test_examples_are_good(void **state)
{
	char *page = read_page("deploy/man/gatepost.yaml.5"), *readme = read_page("README.md");

	(void)state;
	assert_good(part_after(page, ".Bd -literal -offset indent", "\n.Ed", "\n.Sh "));
	assert_good(part_after(readme, "```yaml", "\n```", "\n#"));
	assert_good_relay(page, ".Bd -literal -offset indent", "\n.Ed", "\n.Sh ");
	assert_good_relay(readme, "```yaml", "\n```", "\n#");
	free(page);
	free(readme);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_setting_has_its_item),
		cmocka_unit_test(test_commands_have_their_sections),
		cmocka_unit_test(test_examples_are_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
