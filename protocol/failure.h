/* failure: the ways in which a question to a policy service can fail. */
#ifndef PROTOCOL_FAILURE_H
#define PROTOCOL_FAILURE_H

#include <stdbool.h>

enum failure {
#define FAILURE(name, word, meaning) FAILURE_##name,
#include "failures.def"
#undef FAILURE
	FAILURE_MAX
};

/* The first ones, for which the operator chooses what they mean. */
#define FAILURE_CHOICES (FAILURE_LOST + 1)

/* "timeout" */
const char *failure_word(enum failure failure);
/* False for a word that names none. */
bool failure_from_word(const char *word, enum failure *failure);

#endif
