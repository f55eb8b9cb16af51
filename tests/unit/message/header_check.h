/* header_check: what header_edit() must keep, told a second time in the simplest way. */
#ifndef HEADER_CHECK_H
#define HEADER_CHECK_H

#include <stddef.h>

#include "protocol/edit.h"

/* Not in any header that is checked; in each value. */
#define HEADER_CHECK_MARK "\x7fnew"

/* Makes the edits and asserts: what is not edited is there with the same octets in the same order;
 * each new field is there once, whole, and nothing else is. The values must begin with the mark.
 * Headers that hold the mark are passed over. */
void header_check(const char *header, size_t len, const struct edit *edits, size_t edits_len);

#endif
