/* mem: allocation that does not return NULL.
 *
 * Out of memory in a worker ends the worker (the master starts another): a half-built session is
 * worse than a lost one, and no 250 was said for what was not yet stored. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Zeroed memory; ends the process when there is none. Free with free(). */
void *mem_new(size_t size);
/* Like realloc(); ends the process when there is no memory. */
void *mem_resize(void *old, size_t size);
/* A copy of the string; NULL stays NULL. */
char *mem_copy_string(const char *text);
/* A NUL-terminated copy of `length` octets. */
char *mem_copy_bytes(const char *data, size_t length);

#endif
