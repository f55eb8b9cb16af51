/* Any octets as a PROXY header, in one piece and octet by octet: the same answer, and a header that
 * lies in the input. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct answer {
	enum proxy_header_result result;
	struct proxy_header header;
	size_t used;
	const char *reason;
};

/* Of a copy that ends where the octets end. */
static void read_copy(const uint8_t *data, size_t n, struct answer *a)
{
	char *copy = malloc(n + !n);

	memcpy(copy, data, n);
	a->reason = NULL;
	a->result = proxy_header_read(copy, n, &a->header, &a->used, &a->reason);
	free(copy);
	assert(a->used <= n && !a->used == (a->result != PROXY_HEADER_GOOD));
	assert(!a->reason == (a->result != PROXY_HEADER_BAD));
}

static void assert_same_address(const struct address *a, const struct address *b)
{
	assert(a->len == b->len && !memcmp(&a->storage, &b->storage, sizeof a->storage));
}

static void assert_same(const struct answer *a, const struct answer *b)
{
	const struct proxy_header *x = &a->header, *y = &b->header;

	assert(a->result == b->result && a->used == b->used && a->reason == b->reason);
	if (a->result != PROXY_HEADER_GOOD)
		return;
	assert(x->local == y->local && x->ssl == y->ssl && x->ssl_verified == y->ssl_verified);
	assert_same_address(&x->client, &y->client);
	assert_same_address(&x->server, &y->server);
	assert(!strcmp(x->alpn, y->alpn) && !strcmp(x->authority, y->authority));
	assert(!strcmp(x->ssl_version, y->ssl_version) && !strcmp(x->ssl_cipher, y->ssl_cipher));
	assert(!strcmp(x->ssl_common_name, y->ssl_common_name));
	assert(x->unique_id_len == y->unique_id_len && x->unique_id_len <= PROXY_UNIQUE_MAX);
	assert(!memcmp(x->unique_id, y->unique_id, PROXY_UNIQUE_MAX));
}

static void check_good(const struct proxy_header *header)
{
	sa_family_t family = header->client.storage.ss_family;

	assert(family == header->server.storage.ss_family);
	assert(header->local == (family == AF_UNSPEC));
	assert(family == AF_UNSPEC || family == AF_INET || family == AF_INET6 || family == AF_UNIX);
	assert(header->ssl || !header->ssl_verified);
	if (header->local)
		assert(!header->ssl && !header->unique_id_len && !header->authority[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer whole, cut = {.result = PROXY_HEADER_MORE};
	size_t n = 0;

	if (size > PROXY_HEADER_MAX + 16)
		size = PROXY_HEADER_MAX + 16;
	read_copy(data, size, &whole);
	if (whole.result == PROXY_HEADER_GOOD)
		check_good(&whole.header);
	while (cut.result == PROXY_HEADER_MORE && n <= size)
		read_copy(data, n++, &cut);
	assert_same(&whole, &cut);
	/* A header is known with its last octet, and no buffer of the caller is too small for it.
	 */
	assert(n - 1 <= PROXY_HEADER_MAX);
	if (whole.result == PROXY_HEADER_GOOD)
		assert(n - 1 == whole.used);
	return 0;
}
