#include "examples.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define PATH_SIZE 4096

static char *read_whole(const char *name, size_t *len)
{
	char path[PATH_SIZE], *data = malloc(1 << 21);
	FILE *file;

	snprintf(path, sizeof path, "%s/protocol/examples/%s", GATEPOST_SOURCE_DIR, name);
	file = fopen(path, "rb");
	if (!file || !data)
		fail_msg("%s cannot be read", path);
	*len = fread(data, 1, 1 << 21, file);
	fclose(file);
	return data;
}

char *examples_read(const char *name, size_t *len)
{
	char *data = read_whole(name, len);

	if (!*len || data[*len - 1] != '\n' || memchr(data, '\n', *len - 1))
		fail_msg("%s is not one line that ends in LF", name);
	data[--*len] = '\0';
	return data;
}

unsigned examples_each(const char *folder, const char *prefix,
		       void (*each)(const char *name, const char *line, size_t len))
{
	char path[PATH_SIZE], *line;
	struct dirent **entries;
	unsigned called = 0;
	size_t len;
	int n;

	snprintf(path, sizeof path, "%s/protocol/examples/%s", GATEPOST_SOURCE_DIR, folder);
	n = scandir(path, &entries, NULL, alphasort);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		if (!strncmp(entries[i]->d_name, prefix, strlen(prefix))) {
			snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
			line = examples_read(path, &len);
			each(path, line, len);
			free(line);
			called++;
		}
		free(entries[i]);
	}
	free(entries);
	return called;
}

void examples_assert_equal(struct json_out *out, const char *name)
{
	size_t len;
	char *data = read_whole(name, &len);

	if (out->len != len || memcmp(out->data, data, len) != 0)
		fail_msg("%s is\n%.*sbut the encoder writes\n%.*s", name, (int)len, data,
			 (int)out->len, out->data);
	free(data);
	json_out_clear(out);
}
