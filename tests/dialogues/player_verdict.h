/* player_verdict: gives the engine a verdict as the session does. */
#ifndef PLAYER_VERDICT_H
#define PLAYER_VERDICT_H

#include "protocol/verdict.h"
#include "smtp/smtp.h"

/* What the services of a V: line answer to the open hook. Edits are made first; when they cannot
 * be, the reply is worth nothing and the client is told to come again. */
void player_verdict_give(struct smtp *smtp, const struct verdict *verdict);
/* Nobody is asked at this hook. */
void player_verdict_give_none(struct smtp *smtp);

#endif
