#include "ident.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static uint32_t process_part;
static uint32_t counter;

void ident_seed(void)
{
	uint32_t random[2];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		abort();
	process_part = random[0];
	counter = random[1];
}

static void put(char *out, int digits, uint64_t value)
{
	static const char alphabet[] = IDENT_ALPHABET;

	while (digits--) {
		out[digits] = alphabet[value & 31];
		value >>= 5;
	}
}

void ident_make(char out[IDENT_SIZE])
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	put(out, 10, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
	put(out + 10, 5, process_part);
	put(out + 15, 5, counter++);
	out[IDENT_SIZE - 1] = '\0';
}
