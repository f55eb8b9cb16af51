/* player_facts: compares the fields of an H: line with what the engine says about the hook. */
#ifndef PLAYER_FACTS_H
#define PLAYER_FACTS_H

#include "base/buf.h"
#include "dialogue.h"
#include "protocol/hook.h"

/* True when each field of the item is as in the client's facts or the request; else `found` says
 * which was not, and its value. */
bool player_facts_match_client(const struct dialogue_item *item, const struct smtp_xclient *client,
			       struct buf *found);
bool player_facts_match(const struct dialogue_item *item, const struct hook_request *request,
			struct buf *found);

#endif
