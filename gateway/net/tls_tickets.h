/* tls_tickets: the keys of session tickets, in memory that is shared across fork().
 *
 *      generation g:   keys[g % 3] seals and opens   keys[(g - 1) % 3] opens
 *      rotation:       keys[(g + 1) % 3] is filled, then the generation becomes g + 1
 *
 * So no reader needs a lock: what is being filled is what nobody reads. */
#ifndef NET_TLS_TICKETS_H
#define NET_TLS_TICKETS_H

#include <openssl/ssl.h>

struct tls_tickets;

/* NULL (errno) when there is no memory or no random octets. */
struct tls_tickets *tls_tickets_new(void);
/* For this process alone; the others keep theirs. */
void tls_tickets_free(struct tls_tickets **tickets);
/* One process alone calls this. Without random octets the keys stay as they are. */
void tls_tickets_rotate(struct tls_tickets *tickets);
/* From now on the tickets of `ssl` are sealed with these keys, which must outlive it. */
void tls_tickets_serve(struct tls_tickets *tickets, SSL_CTX *ssl);

#endif
