/* grow: memory that grows, or the process ends.
 *
 * This folder is used by programs besides the gateway, so it brings its own. Going on without
 * memory would mean half an event or half a question; a new process is better than either. */
#ifndef PROTOCOL_GROW_H
#define PROTOCOL_GROW_H

#include <stddef.h>

/* Like realloc(), and never NULL. Free with free(). */
void *grow_resize(void *old, size_t size);
/* The capacity to take so that `need` octets fit: at least twice `size`, so that appending costs
 * little. */
size_t grow_capacity(size_t size, size_t need);

#endif
