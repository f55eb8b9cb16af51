/* The decoder of AUTH exchanges. Octet 0: the mechanism, and whether the first line is the initial
 * response. Then the client's lines, LF between them. What is decoded must lie within the memory of
 * the exchange, and hold what the mechanism promises. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/smtp_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct octets name_of(uint8_t octet)
{
	static const char *const names[] = {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"};

	return (struct octets){names[octet & 3], strlen(names[octet & 3])};
}

/* Reads every octet, so that a sanitizer sees what is not there. */
static size_t sum(struct octets value)
{
	size_t total = 0;

	for (size_t i = 0; i < value.len; i++)
		total += (unsigned char)value.data[i] + 1u;
	return total;
}

static void check(const struct smtp_auth *a, enum smtp_auth_result result)
{
	const struct hook_auth *facts = &a->facts;

	assert(a->mechanism && !strcmp(facts->mechanism, smtp_auth_name(a->mechanism)));
	if (result == SMTP_AUTH_MORE)
		assert(a->challenge && strlen(a->challenge) % 4 == 0);
	if (result != SMTP_AUTH_DONE)
		return;
	assert(facts->user.data && (facts->password.len > 0) != (facts->token.len > 0));
	assert(!facts->password.len || !memchr(facts->password.data, 0, facts->password.len));
	assert(!facts->token.len || !memchr(facts->token.data, 0, facts->token.len));
	assert(facts->user.len || smtp_auth_failure(a));
	assert(!facts->user.len || sum(facts->user));
	assert(sum(facts->password) + sum(facts->token));
	(void)sum(facts->authzid);
}

/* Each line in a piece of memory of its own size. */
static enum smtp_auth_result give(struct smtp_auth *a, const char *text, size_t len, bool initial,
				  uint8_t octet)
{
	char *line = malloc(len ? len : 1);
	struct octets octets = {line, len};
	enum smtp_auth_result result;

	if (len)
		memcpy(line, text, len);
	result = initial ? smtp_auth_begin(a, smtp_auth_find(name_of(octet)), octets)
			 : smtp_auth_take(a, octets);
	free(line);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_auth a = {0};
	enum smtp_auth_result result = SMTP_AUTH_MORE;
	const char *at = (const char *)data + 1, *end = (const char *)data + size;
	bool initial;
	unsigned lines = 0;

	if (!size)
		return 0;
	initial = data[0] & 4;
	if (!initial)
		assert(smtp_auth_begin(&a, smtp_auth_find(name_of(data[0])), (struct octets){0}) ==
		       SMTP_AUTH_MORE);
	while (result == SMTP_AUTH_MORE && at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t len = lf ? (size_t)(lf - at) : (size_t)(end - at);

		result = give(&a, at, len, initial && !lines++, data[0]);
		check(&a, result);
		at += len + 1;
	}
	smtp_auth_wipe(&a);
	assert(!a.facts.password.data && !a.facts.token.data && !a.message);
	smtp_auth_fini(&a);
	assert(!a.mechanism && !a.user);
	return 0;
}
