/* smtp and lmtp: passed on to the next server. */
#include <stdio.h>

#include "delivery/delivery_kind.h"
#include "relay/relay.h"

static bool open_relay(struct delivery *d, const struct delivery_settings *settings, char *error,
		       size_t error_size)
{
	d->word = relay_word(settings->relay);
	snprintf(error, error_size, "this build cannot pass mail on yet");
	return false;
}

static void close_relay(struct delivery *d)
{
	(void)d;
}

const struct delivery_kind delivery_relay = {
	.open = open_relay,
	.close = close_relay,
};
