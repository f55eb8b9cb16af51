#include "edit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = {
	[EDIT_ADD_HEADER] = "add_header",	[EDIT_REPLACE_HEADER] = "replace_header",
	[EDIT_DELETE_HEADER] = "delete_header", [EDIT_SET_SENDER] = "set_sender",
	[EDIT_ADD_RECIPIENT] = "add_recipient", [EDIT_DROP_RECIPIENT] = "drop_recipient",
};

void edit_fini(struct edit *edit)
{
	free(edit->name);
	free(edit->value);
	*edit = (struct edit){0};
}

const char *edit_word(enum edit_kind kind)
{
	assert(kind < EDIT_MAX);
	return words[kind];
}

bool edit_from_word(const char *word, enum edit_kind *kind)
{
	for (unsigned i = 0; i < EDIT_MAX; i++) {
		if (strcmp(words[i], word) == 0) {
			*kind = (enum edit_kind)i;
			return true;
		}
	}
	return false;
}
