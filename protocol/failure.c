#include "failure.h"

#include <assert.h>
#include <string.h>

static const char *const words[] = {
#define FAILURE(name, word, meaning) [FAILURE_##name] = word,
#include "failures.def"
#undef FAILURE
};

const char *failure_word(enum failure failure)
{
	assert(failure < FAILURE_MAX);
	return words[failure];
}

bool failure_from_word(const char *word, enum failure *failure)
{
	for (unsigned i = 0; i < FAILURE_MAX; i++) {
		if (strcmp(words[i], word) == 0) {
			*failure = (enum failure)i;
			return true;
		}
	}
	return false;
}
