/* player_answer: gives the delivery's answers, as they are written in the A: lines at a place of a
 * dialogue. Each returns the place behind those it has used. */
#ifndef PLAYER_ANSWER_H
#define PLAYER_ANSWER_H

#include "dialogue.h"

/* The same place: nothing is answered there. */
size_t player_answer_recipient(struct smtp *smtp, const struct dialogue *dialogue, size_t place);
/* Where nothing is written the message is taken. */
size_t player_answer_message(struct smtp *smtp, const struct dialogue *dialogue, size_t place);

#endif
