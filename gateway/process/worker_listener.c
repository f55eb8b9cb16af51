#include "worker_listener.h"

static void set_up_smtp(struct smtp_settings *to, const struct config *config,
			const struct config_listener *from)
{
	*to = (struct smtp_settings){
		.hostname = config->hostname,
		.message_size = config->limits.message_size,
		.recipients = config->limits.recipients,
		.errors = config->limits.errors,
		.commands = config->limits.commands,
		.messages = config->limits.messages,
		.starttls = from->tls == CONFIG_TLS_STARTTLS,
		.implicit_tls = from->tls == CONFIG_TLS_IMPLICIT,
		.require_tls = from->require_tls,
		.auth = from->auth,
		.lmtp = from->protocol == CONFIG_PROTOCOL_LMTP,
		.bare_newline_accept = from->bare_newline == CONFIG_BARE_NEWLINE_ACCEPT,
		.accept_any = from->accept_any,
		.accept_domains = (const char *const *)from->accept_domains.items,
		.accept_domains_len = from->accept_domains.len,
	};
}

void worker_listener_init(struct session_listener *l, const struct config *config, size_t place,
			  struct session_host *host, struct tls_context *const *contexts,
			  struct delivery *const *deliveries)
{
	const struct config_listener *from = &config->listeners[place];

	*l = (struct session_listener){
		.host = host,
		.name = from->name,
		.tls = from->tls == CONFIG_TLS_NONE ? NULL : contexts[from->client_certificates],
		.proxy_peers = from->proxy_protocol.items,
		.proxy_peers_len = from->proxy_protocol.len,
		.xclient_peers = from->xclient.items,
		.xclient_peers_len = from->xclient.len,
		.relay_clients = from->relay_clients.items,
		.relay_clients_len = from->relay_clients.len,
		.resolve_names = from->resolve_names && host->resolver,
		.received_client = from->received_client,
		.policies = from->policies,
		.policies_len = from->policies_len,
		.delivery = deliveries[from->delivery],
	};
	set_up_smtp(&l->smtp, config, from);
}
