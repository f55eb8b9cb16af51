/* player_fault: tells on standard error what went otherwise than written. */
#ifndef PLAYER_FAULT_H
#define PLAYER_FAULT_H

#include <stdarg.h>
#include <stddef.h>

#include "player.h"

/* "FILE:LINE: expected ITEM; found FORMATTED OCTETS (how the octets were cut)". `next` is the place
 * of the item that had to happen, items_len when none had to; octets may be NULL. */
__attribute__((format(printf, 4, 0))) void
player_fault_print(const struct dialogue *dialogue, size_t next, const struct player_cut *cut,
		   const char *format, va_list arguments, const char *octets, size_t len);

#endif
