#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p)
{
	if (!p) {
		fputs("gatepost: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *mem_new(size_t size)
{
	return checked(calloc(1, size ? size : 1));
}

void *mem_resize(void *old, size_t size)
{
	return checked(realloc(old, size ? size : 1));
}

char *mem_copy_bytes(const char *data, size_t length)
{
	char *copy = mem_new(length + 1);

	if (length)
		memcpy(copy, data, length);
	return copy;
}

char *mem_copy_string(const char *text)
{
	return text ? mem_copy_bytes(text, strlen(text)) : NULL;
}
