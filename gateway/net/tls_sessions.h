/* tls_sessions: which earlier sessions a client may take up.
 *
 * Those whose full handshake would end the same way now: under the same rule for client
 * certificates, with the same authorities, the same certificates of the server and the same server
 * name, not long ago. The keys of tickets do not tell listeners or configurations apart; this does.
 */
#ifndef NET_TLS_SESSIONS_H
#define NET_TLS_SESSIONS_H

#include <openssl/ssl.h>
#include <stddef.h>

struct tls_identity;
struct tls_tickets;

/* Sessions of `ssl` travel in tickets of these keys (NULL: no session can be taken up). For a
 * context whose other rules are all set. */
void tls_sessions_serve(SSL_CTX *ssl, struct tls_tickets *tickets,
			const struct tls_identity *identities, size_t identities_len);

#endif
