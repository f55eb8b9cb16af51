/* tls: one TLS connection as a stage between buffers, without a socket.
 *
 *      network_in --> [ tls ] --> plain_in
 *      network_out <-- [ tls ] <-- plain_out
 *
 * OpenSSL reads and writes the network buffers through a BIO of our own, so a whole dialogue can be
 * played in memory and plain and secure connections share one read and one write path. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct tls;
struct tls_client_context;
struct tls_context;

/* NEED_INPUT: more network_in is needed (network_out may have octets to send). */
enum tls_result { TLS_OK, TLS_NEED_INPUT, TLS_CLOSED, TLS_FAILED };

/* The client's certificate: names in RFC 2253 form, printable ASCII on one line, "..." at the end
 * where one was too long; SHA-256 as "9F:31:...", which alone identifies a certificate that is not
 * verified. */
struct tls_peer {
	bool present, verified;
	char subject[256], issuer[256], fingerprint[96];
};

/* The buffers are borrowed and must outlive the connection; the context is shared. Server side. */
struct tls *tls_new(struct tls_context *context, struct buf *network_in, struct buf *network_out);
/* Client side; the name is the context's. */
struct tls *tls_new_to(struct tls_client_context *context, struct buf *network_in,
		       struct buf *network_out);
/* For tests: the client side, no verification, with an optional server name. */
struct tls *tls_new_client(const char *server_name, struct buf *network_in,
			   struct buf *network_out);
void tls_free(struct tls **t);
/* TLS_OK once the handshake is done. */
enum tls_result tls_handshake(struct tls *t);
/* Decrypts what there is into plain_in, up to its ceiling. TLS_OK when plain_in is full (call again
 * when it has room), NEED_INPUT when network_in is used up, CLOSED after close_notify. */
enum tls_result tls_read(struct tls *t, struct buf *plain_in);
/* Encrypts plain_out; stops when network_out is full (TLS_OK with octets left in plain_out). */
enum tls_result tls_write(struct tls *t, struct buf *plain_out);
/* Queues close_notify. */
void tls_close(struct tls *t);
/* "TLSv1.3", "TLS_AES_256_GCM_SHA384", 256; sni NULL when none was sent. Valid as long as the
 * connection. */
const char *tls_version(const struct tls *t);
const char *tls_cipher(const struct tls *t);
int tls_bits(const struct tls *t);
/* The handshake took up an earlier session. */
bool tls_is_resumed(const struct tls *t);
const char *tls_sni(const struct tls *t);
/* "smtp", or NULL when the client did not ask for a protocol. */
const char *tls_alpn(const struct tls *t);
/* NULL without a client certificate (and before the handshake is done). Valid as long as the
 * connection. */
const struct tls_peer *tls_peer(const struct tls *t);
/* Client side, after the handshake: the server's certificate leads to a trusted authority and has
 * the context's name. */
bool tls_is_verified(const struct tls *t);
/* Why TLS_FAILED, in words, for the log. */
const char *tls_failure(const struct tls *t);

#endif
