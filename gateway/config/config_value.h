/* config_value: one text of the file as the value its setting wants.
 *
 * Pure, but for KIND_FILE and KIND_SECRET, which open the file, KIND_UID(S), which look the account
 * up, and the workers' "auto", which counts processors. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "config_settings.h"

#define CONFIG_WANT_SIZE 160

/* Reads the text into the member at `to` (for a list: one entry, a char *, a
 * struct address_block or a bit of the mask).
 * What is stored is a copy. False when the text is not what config_value_want() says; errno is then
 * why the file of a KIND_FILE or KIND_SECRET cannot be read, else 0. KIND_POLICIES, KIND_POLICY and
 * KIND_DELIVERY are for the cross checks, not read here. */
bool config_value_read(const struct setting *setting, const char *text, void *to);
/* What the setting wants, to follow "is not": "one of none, starttls, implicit". Returns `out`. */
const char *config_value_want(const struct setting *setting, char out[CONFIG_WANT_SIZE]);
/* The word of a bit of a kind that is a mask; NULL after the last one, and of any other kind. */
const char *config_value_bit(enum setting_kind kind, unsigned bit);
/* Frees what the member at `to` owns. */
void config_value_free(const struct setting *setting, void *to);

#endif
