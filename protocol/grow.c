#include "grow.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CAPACITY_MIN 256

void *grow_resize(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);

	if (!p) {
		fputs("gatepost protocol: out of memory\n", stderr);
		abort();
	}
	return p;
}

size_t grow_capacity(size_t size, size_t need)
{
	size_t capacity = size < CAPACITY_MIN ? CAPACITY_MIN : size;

	while (capacity < need)
		capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
	return capacity;
}
