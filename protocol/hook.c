#include "hook.h"

#include <assert.h>
#include <string.h>

static const char *const hook_words[] = {
#define HOOK(name, word, reject, reject_status, tempfail, tempfail_status) [HOOK_##name] = word,
#include "hooks.def"
#undef HOOK
};

static const char *const body_mode_words[] = {
	[HOOK_BODY_NONE] = "none",
	[HOOK_BODY_HEADERS] = "headers",
	[HOOK_BODY_INLINE] = "inline",
	[HOOK_BODY_PATH] = "path",
};

static const char *const facts[] = {"client", "listener", "helo",      "tls",
				    "auth",   "mail",	  "recipients"};

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

const char *hook_fact(size_t i)
{
	return i < sizeof facts / sizeof facts[0] ? facts[i] : NULL;
}

const char *disconnect_reason_word(enum disconnect_reason reason)
{
	assert(reason < DISCONNECT_MAX);
	return disconnect_words[reason];
}
