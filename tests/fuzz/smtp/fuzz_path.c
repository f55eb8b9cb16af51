/* Any octets as a path. What is read lies in the input, is printable (or above 127), and reads the
 * same again. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "smtp/smtp_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(struct octets a, struct octets b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static void check_read(enum smtp_path_kind kind, const char *text, const struct smtp_path *path)
{
	const char *end = path->address.data + path->address.len;
	struct smtp_path again;
	char copy[SMTP_PATH_LOCAL_MAX + SMTP_PATH_DOMAIN_MAX + 3];

	assert(text[0] == '<' && text[path->used - 1] == '>');
	assert(path->address.data > text && end == text + path->used - 1);
	assert(path->domain.data + path->domain.len == end);
	assert(path->domain.len <= SMTP_PATH_DOMAIN_MAX);
	assert(path->local_len <= SMTP_PATH_LOCAL_MAX);
	for (const char *p = text; p < text + path->used; p++)
		assert((*p >= ' ' && *p <= '~') || ((unsigned char)*p > 127 && path->eight_bit));
	for (size_t i = 0; i < path->local_len; i++)
		assert((path->local[i] >= ' ' && path->local[i] <= '~') ||
		       ((unsigned char)path->local[i] > 127 && path->eight_bit));
	if (!path->domain.len)
		assert(path->address.len == (kind == SMTP_PATH_FORWARD ? strlen("postmaster") : 0));
	/* Without its route it is the same path. */
	copy[0] = '<';
	memcpy(copy + 1, path->address.data, path->address.len);
	copy[path->address.len + 1] = '>';
	assert(smtp_path_parse(kind, copy, path->address.len + 2, &again));
	assert(again.used == path->address.len + 2);
	assert(same(again.address, path->address) && same(again.domain, path->domain));
	assert(again.local_len == path->local_len);
	assert(memcmp(again.local, path->local, path->local_len) == 0);
	/* Without its end it is none. */
	assert(!smtp_path_parse(kind, text, path->used - 1, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct smtp_path path;

	for (int kind = SMTP_PATH_REVERSE; kind <= SMTP_PATH_FORWARD; kind++)
		if (smtp_path_parse((enum smtp_path_kind)kind, text, size, &path))
			check_read((enum smtp_path_kind)kind, text, &path);
	return 0;
}
