/* Any octets as a header. The lines before the first empty one (LF LF) are edits, a letter and a
 * name: t and b add, 1, 2 and 0 delete, r and s replace the first and the second. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "header_check.h"

#define EDITS_MAX 12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] <= 0x20 || name[i] == 0x7f || name[i] == ':')
			return false;
	return len > 0;
}

static void read_edit(const char *line, size_t len, struct edit *edit)
{
	char how = line[0];

	edit->kind = how == 't' || how == 'b'	? EDIT_ADD_HEADER
		     : how == 'r' || how == 's' ? EDIT_REPLACE_HEADER
						: EDIT_DELETE_HEADER;
	edit->bottom = how == 'b';
	edit->nth = how == '0' ? 0 : how == '2' || how == 's' ? 2 : 1;
	edit->name = strndup(line + 1, len - 1);
	edit->value = strdup(HEADER_CHECK_MARK "\r\n folded");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size, *lf;
	struct edit edits[EDITS_MAX] = {0};
	size_t n = 0;
	char *header;

	while (size && (lf = memchr(at, '\n', (size_t)(end - at)))) {
		size_t len = (size_t)(lf - at);

		if (len && n < EDITS_MAX && is_name(at + 1, len - 1))
			read_edit(at, len, &edits[n++]);
		at = lf + 1;
		if (!len)
			break;
	}
	/* A copy that ends where the octets end. */
	size = (size_t)(end - at);
	header = malloc(size + !size);
	if (size)
		memcpy(header, at, size);
	header_check(header, size, edits, n);
	free(header);
	for (size_t i = 0; i < n; i++)
		edit_fini(&edits[i]);
	return 0;
}
