/* Files nobody meant as a configuration: cut short, broken, huge, built to explode. No crash, no
 * leak, no hang, a fault that says what is wrong, and never libcyaml's own refusal, which names no
 * line. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config_file.h"

#define FILE_MAX (1024 * 1024)

static void load_anything(const char *data, size_t len)
{
	struct loaded loaded;

	config_file_load(data, len, &loaded);
	if (strstr(loaded.faults, "libcyaml"))
		fail_msg("libcyaml saw what the walk did not:\n%s\n%.*s", loaded.faults, (int)len,
			 data);
	config_file_fini(&loaded);
}

static void assert_faults(const char *data, size_t len, const char *faults)
{
	struct loaded loaded;

	config_file_load(data, len, &loaded);
	assert_string_equal(loaded.faults, faults);
	assert_int_equal(loaded.error, 0);
	config_file_fini(&loaded);
}

static void test_cut_at_every_octet(void **state)
{
	(void)state;
	for (size_t len = 0; len <= strlen(full_file); len++)
		load_anything(full_file, len);
}

/* Each octet in turn becomes one that means something to YAML. */
static void test_every_octet_changed(void **state)
{
	static const char octets[] = {':', '-', '[', '\n', ' ', '#', '"', '{', '?', '\xff', '\0'};
	char text[4096];
	size_t len = strlen(full_file);

	(void)state;
	memcpy(text, full_file, len + 1);
	for (size_t i = 0; i < len; i++) {
		text[i] = octets[i % sizeof octets];
		load_anything(text, len);
		text[i] = octets[(i / sizeof octets) % sizeof octets];
		load_anything(text, len);
		text[i] = full_file[i];
	}
}

/* Each line in turn is left out, and each is doubled. */
static void test_every_line_removed_and_doubled(void **state)
{
	char text[8192];

	(void)state;
	for (const char *line = full_file; *line;) {
		size_t before = (size_t)(line - full_file), n = strcspn(line, "\n") + 1;
		int len = snprintf(text, sizeof text, "%.*s%s", (int)before, full_file, line + n);

		load_anything(text, (size_t)len);
		len = snprintf(text, sizeof text, "%.*s%.*s%s", (int)before, full_file, (int)n,
			       line, line);
		load_anything(text, (size_t)len);
		line += n;
	}
}

static void test_alias_bomb(void **state)
{
	static const char bomb[] = "a: &a [x, x, x, x, x, x, x, x, x]\n"
				   "b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n";

	(void)state;
	assert_faults(
		bomb, strlen(bomb),
		":1: a: unknown setting; known here: hostname, runtime_dir, spool_dir, "
		"workers, user, drain_timeout, drain_delay, retire_timeout, listeners, tls, "
		"policies, deliveries, limits, "
		"resolver, events, log\n"
		":1: anchors (&), aliases (*) and tags (!) are not read here; write the value "
		"itself, in quotes if it starts so\n");
}

static void test_other_encodings(void **state)
{
	static const char utf16[] = "\xff\xfe"
				    "u\0s\0";
	static const char elf[] = "\x7f"
				  "ELF\2\1\1\0\0";
	static const char bom[] = "\xef\xbb\xbf"
				  "user: root\ncolour: red\n";
	struct loaded loaded;

	(void)state;
	assert_faults(utf16, sizeof utf16 - 1,
		      ":1: not a text file in UTF-8: invalid leading UTF-8 octet\n");
	assert_faults(elf, sizeof elf - 1,
		      ":1: not a text file in UTF-8: control characters are not allowed\n");
	assert_faults("a: b\nc: \0d\n", 11,
		      ":2: not a text file in UTF-8: control characters are not allowed\n");
	config_file_load(bom, sizeof bom - 1, &loaded);
	assert_int_equal(strncmp(loaded.faults, ":2: colour: unknown", 19), 0);
	config_file_fini(&loaded);
}

/* The file's fragment, `times` over, between the two texts; at most a file's limit. */
static size_t repeat(char *out, const char *head, const char *part, size_t times, const char *tail)
{
	size_t len = strlen(head), n = strlen(part);

	memcpy(out, head, len);
	for (size_t i = 0; i < times && len + n + strlen(tail) <= FILE_MAX; i++) {
		memcpy(out + len, part, n);
		len += n;
	}
	memcpy(out + len, tail, strlen(tail) + 1);
	return len + strlen(tail);
}

/* Under a sanitizer too, no file of the allowed size takes long: nothing in the reading is
 * quadratic. */
static void test_largest_files(void **state)
{
	static const struct {
		const char *head, *part, *tail;
		size_t times; /* 0: as often as fits */
	} files[] = {
		{"", "[", "", 0},
		{"x: ", "{a: ", "", 0},
		{"", "? ", "", 0},
		{"", "- ", "", 0},
		{"", "a: b\n", "", 0},
		{"", "tls: {}\n", "", 0},
		{"listeners: [", "{},", "]", 0},
		{"policies: [", "{name: a},", "]", 0},
		{"listeners: [{accept_domains: [", "aaaaaaaaa.b,", "]}]", 0},
		{"listeners: [{accept_domains: [", "aaaaaaaaa_b,", "]}]", 0},
		{"listeners: [{policies: [", "a,", "]}]", 0},
		{"listeners: [{accept_domains: [", "aaaaaaaaa.b,", "]}]", 10000},
		{"listeners: [{accept_domains: [", "aaaaaaaaa_b,", "]}]", 10000},
		{"listeners: [", "{name: a},", "]", 256},
		{"listeners: [{relay_clients: [", "192.0.2.1,", "]}]", 1000},
		{"listeners: [{relay_clients: [", "0.0.0.0/0,", "]}]", 0},
		{"tls: {certificates: [", "{key: /etc/group},", "]}", 64},
		{"hostname: \"", "\\e", "\"", 0},
		{"", "x", "", 0},
		{"", "#\n", "", 0},
		{"", "\n", "", 0},
	};
	char *text = malloc(FILE_MAX + 1);

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		size_t len = repeat(text, files[i].head, files[i].part,
				    files[i].times ? files[i].times : SIZE_MAX, files[i].tail);
		clock_t start = clock();

		load_anything(text, len);
		if (clock() - start > 10 * CLOCKS_PER_SEC)
			fail_msg("%s%s... took %ld s", files[i].head, files[i].part,
				 (long)((clock() - start) / CLOCKS_PER_SEC));
	}
	free(text);
}

static void test_too_large(void **state)
{
	char *text = malloc(FILE_MAX + 2);

	(void)state;
	memset(text, '\n', FILE_MAX + 1);
	assert_faults(text, FILE_MAX,
		      ": is empty; `gatepost check --defaults` prints what it can hold\n");
	assert_faults(text, FILE_MAX + 1, ": is larger than 1M; a configuration never is\n");
	free(text);
}

static void test_faults_are_counted_when_too_many(void **state)
{
	char text[4096];
	struct loaded loaded;
	size_t lines = 0;

	(void)state;
	config_file_load(text, repeat(text, "user: root\n", "a: b\n", 250, ""), &loaded);
	for (const char *c = loaded.faults; *c; c++)
		lines += *c == '\n';
	/* the two missing lists are faults as well */
	assert_non_null(strstr(loaded.faults, ": and 152 more faults\n"));
	assert_int_equal(lines, 101);
	config_file_fini(&loaded);
}

static void test_not_readable(void **state)
{
	static const struct {
		const char *path, *faults;
		int error;
	} rows[] = {
		{"/", ": cannot be read: Is a directory\n", EISDIR},
		{"/nowhere/gatepost.yaml", ": cannot be read: No such file or directory\n", ENOENT},
		{"/etc/passwd/x", ": cannot be read: Not a directory\n", ENOTDIR},
		{"/dev/zero", ": is larger than 1M; a configuration never is\n", 0},
		{"/dev/null", ": is empty; `gatepost check --defaults` prints what it can hold\n",
		 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct loaded loaded;

		config_file_load_path(rows[i].path, &loaded);
		assert_string_equal(loaded.faults, rows[i].faults);
		assert_int_equal(loaded.error, rows[i].error);
		config_file_fini(&loaded);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_at_every_octet),
		cmocka_unit_test(test_every_octet_changed),
		cmocka_unit_test(test_every_line_removed_and_doubled),
		cmocka_unit_test(test_alias_bomb),
		cmocka_unit_test(test_other_encodings),
		cmocka_unit_test(test_largest_files),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_faults_are_counted_when_too_many),
		cmocka_unit_test(test_not_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
