#include "player_cut.h"

size_t player_cut_piece(const struct player_cut *cut, const struct dialogue_item *batch,
			size_t arrived)
{
	size_t left = batch->octets.len - arrived;

	if (cut->kind == PLAYER_BYTES || cut->kind == PLAYER_TRICKLE)
		return left > 0;
	if (cut->kind == PLAYER_SPLIT && cut->batch == batch && arrived < cut->at)
		return cut->at - arrived;
	return left;
}
