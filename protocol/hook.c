#include "hook.h"

#include <assert.h>
#include <string.h>

static const char *const hook_words[] = {
#define HOOK(name, word, reject, reject_status, tempfail, tempfail_status, verdicts)               \
	[HOOK_##name] = word,
#include "hooks.def"
#undef HOOK
};

static const char *const body_mode_words[] = {
	[HOOK_BODY_NONE] = "none", [HOOK_BODY_HEADERS] = "headers", [HOOK_BODY_INLINE] = "inline",
	[HOOK_BODY_PATH] = "path", [HOOK_BODY_FD] = "fd",
};

static const char *const facts[] = {
	[HOOK_FACT_CLIENT] = "client",
	[HOOK_FACT_CLIENT_NAME] = "client.name",
	[HOOK_FACT_CLIENT_PROXY] = "client.proxy",
	[HOOK_FACT_LISTENER] = "listener",
	[HOOK_FACT_HELO] = "helo",
	[HOOK_FACT_TLS] = "tls",
	[HOOK_FACT_TLS_PEER] = "tls.peer",
	[HOOK_FACT_AUTH] = "auth",
	[HOOK_FACT_MAIL] = "mail",
	[HOOK_FACT_RECIPIENTS] = "recipients",
	[HOOK_FACT_LABELS] = "labels",
};

static const char *const disconnect_words[] = {
#define DISCONNECT(name, word, meaning) [DISCONNECT_##name] = word,
#include "disconnect.def"
#undef DISCONNECT
};

/* The place of the word in the list; n when it is not there. */
static size_t find_word(const char *const *words, size_t n, const char *word)
{
	size_t i = 0;

	while (i < n && strcmp(words[i], word))
		i++;
	return i;
}

const char *hook_word(enum hook hook)
{
	assert(hook < HOOK_MAX);
	return hook_words[hook];
}

bool hook_from_word(const char *word, enum hook *hook)
{
	size_t i = find_word(hook_words, HOOK_MAX, word);

	if (i == HOOK_MAX)
		return false;
	*hook = (enum hook)i;
	return true;
}

const char *hook_body_mode_word(enum hook_body_mode mode)
{
	assert(mode < HOOK_BODY_MAX);
	return body_mode_words[mode];
}

bool hook_body_mode_from_word(const char *word, enum hook_body_mode *mode)
{
	size_t i = find_word(body_mode_words, HOOK_BODY_MAX, word);

	if (i == HOOK_BODY_MAX)
		return false;
	*mode = (enum hook_body_mode)i;
	return true;
}

const char *hook_fact_word(enum hook_fact fact)
{
	assert(fact < HOOK_FACT_MAX);
	return facts[fact];
}

bool hook_fact_from_word(const char *word, enum hook_fact *fact)
{
	size_t i = find_word(facts, HOOK_FACT_MAX, word);

	if (i == HOOK_FACT_MAX)
		return false;
	*fact = (enum hook_fact)i;
	return true;
}

unsigned hook_facts(enum hook hook)
{
	/* From which hook on a request can have it. At disconnect the transaction is over. */
	static const struct {
		enum hook from, to;
	} ranges[] = {
		[HOOK_FACT_CLIENT] = {HOOK_CONNECT, HOOK_DISCONNECT},
		[HOOK_FACT_CLIENT_NAME] = {HOOK_CONNECT, HOOK_DISCONNECT},
		[HOOK_FACT_CLIENT_PROXY] = {HOOK_CONNECT, HOOK_DISCONNECT},
		[HOOK_FACT_LISTENER] = {HOOK_CONNECT, HOOK_DISCONNECT},
		/* With TLS from the first octet these are there at connect. */
		[HOOK_FACT_TLS] = {HOOK_CONNECT, HOOK_DISCONNECT},
		[HOOK_FACT_TLS_PEER] = {HOOK_CONNECT, HOOK_DISCONNECT},
		/* The old ones are there at a second EHLO, and from XCLIENT at its connect. */
		[HOOK_FACT_HELO] = {HOOK_CONNECT, HOOK_DISCONNECT},
		[HOOK_FACT_AUTH] = {HOOK_CONNECT, HOOK_DISCONNECT},
		[HOOK_FACT_LABELS] = {HOOK_CONNECT, HOOK_DISCONNECT},
		[HOOK_FACT_MAIL] = {HOOK_RCPT, HOOK_MESSAGE},
		[HOOK_FACT_RECIPIENTS] = {HOOK_DATA, HOOK_MESSAGE},
	};
	unsigned mask = 0;

	for (unsigned i = 0; i < HOOK_FACT_MAX; i++)
		if (hook >= ranges[i].from && hook <= ranges[i].to)
			mask |= 1u << i;
	return mask;
}

const char *disconnect_reason_word(enum disconnect_reason reason)
{
	assert(reason < DISCONNECT_MAX);
	return disconnect_words[reason];
}
