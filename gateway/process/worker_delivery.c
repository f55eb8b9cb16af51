#include "worker_delivery.h"

_Static_assert((int)CONFIG_ORDER_FIRST == (int)RELAY_ORDER_FIRST &&
		       (int)CONFIG_ORDER_ROUND_ROBIN == (int)RELAY_ORDER_ROUND_ROBIN &&
		       (int)CONFIG_DELIVERY_TLS_NONE == (int)RELAY_TLS_MODE_NONE &&
		       (int)CONFIG_DELIVERY_TLS_OPPORTUNISTIC ==
			       (int)RELAY_TLS_MODE_OPPORTUNISTIC &&
		       (int)CONFIG_DELIVERY_TLS_VERIFIED == (int)RELAY_TLS_MODE_VERIFIED &&
		       (int)CONFIG_SHOW_NONE == (int)RELAY_SHOW_NONE &&
		       (int)CONFIG_SHOW_XCLIENT == (int)RELAY_SHOW_XCLIENT &&
		       (int)CONFIG_SHOW_PROXY == (int)RELAY_SHOW_PROXY,
	       "the words of the configuration are those of the relay");

static void set_up_relay(struct relay_settings *to, const struct config_delivery *from,
			 const char *hostname)
{
	bool lmtp = from->kind == CONFIG_DELIVERY_LMTP;
	const struct config_texts *addresses = lmtp ? &from->lmtp : &from->smtp;

	*to = (struct relay_settings){
		.name = from->name,
		.lmtp = lmtp,
		.addresses = (const char *const *)addresses->items,
		.addresses_len = addresses->len,
		.order = (enum relay_order)from->order,
		.tls = (enum relay_tls_mode)from->tls,
		.tls_name = from->tls_name,
		.tls_ca = from->tls_ca,
		.show_client = (enum relay_show_client)from->show_client,
		.user = from->user,
		.password = from->password_file,
		.connections = from->connections,
		.reuse = from->reuse,
		.recipients = lmtp ? from->recipients : 0,
		.idle = from->idle,
		.timeout = from->timeout,
		.hostname = hostname,
	};
}

void worker_delivery_init(struct worker_delivery *d, const struct config *config, size_t place)
{
	const struct config_delivery *from = &config->deliveries[place];

	d->settings = (struct delivery_settings){
		.name = from->name,
		.maildir = from->maildir,
		.service = from->kind == CONFIG_DELIVERY_SERVICE,
		.discard = from->discard,
		.hostname = config->hostname,
	};
	if (from->kind != CONFIG_DELIVERY_SMTP && from->kind != CONFIG_DELIVERY_LMTP)
		return;
	set_up_relay(&d->relay, from, config->hostname);
	d->settings.relay = &d->relay;
}
