#include "relay.h"

const char *relay_word(const struct relay_settings *settings)
{
	return settings->lmtp ? "lmtp" : "smtp";
}
