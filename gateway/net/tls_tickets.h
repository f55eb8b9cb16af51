/* tls_tickets: the keys of session tickets, in memory that is shared across fork().
 *
 *      generation g:   keys[g % 3] seals and opens   keys[(g - 1) % 3] opens
 *      rotation:       keys[(g + 1) % 3] is filled, the generation becomes g + 1, and what opened
 *                      until then is overwritten
 *
 * So no reader needs a lock: what is being filled is what nobody reads. They are made once in the
 * life of the master, so that a reload costs no session. They are on no disk: not in a file, not in
 * a core dump, and locked in memory where the system allows it. */
#ifndef NET_TLS_TICKETS_H
#define NET_TLS_TICKETS_H

/* From one rotation to the next. A key seals for that long and then opens for as long; a session
 * can be taken up for as long after its full handshake, so no rotation costs one. Who steals a key
 * can read the sessions of twice this time, where they are of TLS 1.2. */
#define TLS_TICKETS_SECONDS 43200

struct ssl_ctx_st;
struct tls_tickets;

/* NULL (errno) when there is no memory or no random octets. */
struct tls_tickets *tls_tickets_new(void);
/* For this process alone; the others keep theirs. In the one that made them they are overwritten,
 * so it goes last. */
void tls_tickets_free(struct tls_tickets **tickets);
/* One process alone calls this. Without random octets the keys stay as they are. */
void tls_tickets_rotate(struct tls_tickets *tickets);
/* From now on the tickets of `ssl` are sealed with these keys, which must outlive its handshakes.
 */
void tls_tickets_serve(struct tls_tickets *tickets, struct ssl_ctx_st *ssl);

#endif
