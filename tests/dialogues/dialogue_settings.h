/* dialogue_settings: the `set` lines of a dialogue. */
#ifndef DIALOGUE_SETTINGS_H
#define DIALOGUE_SETTINGS_H

#include "dialogue.h"

/* Those of a dialogue without `set` lines. */
void dialogue_settings_init(struct dialogue *dialogue);
void dialogue_settings_fini(struct dialogue *dialogue);
/* Applies "name" or "name value"; NULL, or what is wrong with it. */
const char *dialogue_settings_apply(struct dialogue *dialogue, const char *text);

#endif
