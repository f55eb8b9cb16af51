/* player_cut: in what pieces the client's octets arrive. */
#ifndef PLAYER_CUT_H
#define PLAYER_CUT_H

#include <stddef.h>

#include "dialogue.h"

struct player_cut {
	enum {
		PLAYER_WHOLE,	/* each batch at once */
		PLAYER_SPLIT,	/* the batch `batch` in two pieces, the first of `at` octets
				 */
		PLAYER_BYTES,	/* octet by octet, each after the engine asked for it */
		PLAYER_TRICKLE, /* an octet arrives whenever the engine returns, whatever it waits
				   for */
	} kind;
	const struct dialogue_item *batch;
	size_t at;
};

/* How many octets of the batch arrive next when `arrived` have; 0: none are left. */
size_t player_cut_piece(const struct player_cut *cut, const struct dialogue_item *batch,
			size_t arrived);

#endif
