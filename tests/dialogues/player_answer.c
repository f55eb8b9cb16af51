#include "player_answer.h"

static const struct dialogue_item *answer_at(const struct dialogue *dialogue, size_t place)
{
	const struct dialogue_item *item = &dialogue->items[place];

	return place < dialogue->items_len && item->kind == DIALOGUE_ANSWER ? item : NULL;
}

size_t player_answer_recipient(struct smtp *smtp, const struct dialogue *dialogue, size_t place)
{
	const struct dialogue_item *answer = answer_at(dialogue, place);

	if (answer == NULL)
		return place;
	smtp_recipient(smtp, answer->code, answer->status, buf_head(&answer->octets));
	return place + 1;
}

size_t player_answer_message(struct smtp *smtp, const struct dialogue *dialogue, size_t place)
{
	const struct dialogue_item *answer = answer_at(dialogue, place), *own;

	if (answer == NULL) {
		smtp_delivered(smtp, 250, "2.0.0", "OK id=0123456789ABCDEF");
		return place;
	}
	place++;
	for (size_t i = 0; (own = answer_at(dialogue, place)) != NULL; i++, place++)
		smtp_delivered_recipient(smtp, i, own->code, own->status, buf_head(&own->octets));
	smtp_delivered(smtp, answer->code, answer->status, buf_head(&answer->octets));
	return place;
}
