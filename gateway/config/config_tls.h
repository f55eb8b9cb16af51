/* config_tls: the `tls` of the file as the contexts that listeners use.
 *
 * Whether a client must show a certificate is a fact of the context, but a setting of the listener:
 * there is one context for each answer, made when a listener gives it. */
#ifndef CONFIG_TLS_H
#define CONFIG_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

struct tls_tickets;

/* The contexts, one for each enum tls_client_certificates. */
#define CONFIG_TLS_CONTEXTS_MAX (TLS_CLIENT_CERTIFICATES_REQUIRE + 1)

/* Opens those that a listener needs; the others are NULL. Sees too that the authorities of the
 * deliveries can be used. `tickets` as in struct tls_settings. False with a fault in the form of
 * config_blame() in `error`, and none open. To be given to config_tls_close(). */
bool config_tls_open(const struct config *config, struct tls_tickets *tickets,
		     struct tls_context *contexts[static 1], char *error, size_t size);
/* Gives up the caller's shares, see tls_context_free(); NULLs are fine, and left. */
void config_tls_close(struct tls_context *contexts[static 1]);

#endif
