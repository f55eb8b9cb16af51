/* transport: one connection, a client's or one to a server: a socket, an optional TLS stage, two
 * buffers and a timer.
 *
 *      socket --read--> [ tls ] --> in   (the session consumes)
 *      socket <-write-- [ tls ] <-- out  (the session appends)
 *
 * One ev_io, one ev_timer, one callback. Plain and secure are the same for the session. The
 * callback runs only from the loop, never inside a transport_ function. After transport_free()
 * nothing calls back; memory is given back after the loop turn (a reaper), so it may be called
 * inside the callback. */
#ifndef NET_TRANSPORT_H
#define NET_TRANSPORT_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/counter.h"
#include "net/tls.h"

struct transport;
struct address;
struct tls_client_context;
struct tls_context;

enum transport_event {
	TRANSPORT_INPUT, /* more in `in`, or room in `out` again: go on */
	TRANSPORT_EOF,	 /* the client sends no more (half-close); once. What came before is in `in`
			  */
	TRANSPORT_SECURE,    /* the handshake asked for by transport_start_tls() is done */
	TRANSPORT_DRAINED,   /* after transport_finish(): all of `out` is with the kernel, writing
				side shut */
	TRANSPORT_FAILED,    /* reset, write error, TLS failure: transport_failure() says which;
				nothing more comes */
	TRANSPORT_TIMEOUT,   /* the time of transport_set_timeout() is over; once */
	TRANSPORT_CONNECTED, /* what transport_dial() began is done; once */
};

/* Takes fd over. Reading starts at once. */
struct transport *transport_new(struct ev_loop *loop, int fd, size_t in_max, size_t out_max,
				void (*on_event)(void *arg, enum transport_event event), void *arg);
/* Connects to the address. CONNECTED or FAILED follows, from the loop also when it is known at
 * once; there is no time limit but the caller's. What is put in `out` meanwhile goes out first. */
struct transport *transport_dial(struct ev_loop *loop, const struct address *address, size_t in_max,
				 size_t out_max,
				 void (*on_event)(void *arg, enum transport_event event),
				 void *arg);
/* Closes the socket now, frees after the loop turn, sets the pointer to NULL. */
void transport_free(struct transport **t);
/* Adds to both what goes over the wire, TLS and its handshake included; octets that come when
 * nobody wants them any more are not in it. The counters have no other writer, and outlive `t`. */
void transport_count(struct transport *t, counter *in, counter *out);
struct buf *transport_in(struct transport *t);
struct buf *transport_out(struct transport *t);
/* Call after using the buffers: writes `out` as far as the kernel takes it, the rest when it can;
 * reads on when `in` has room; gives empty buffers back. A write error comes as TRANSPORT_FAILED
 * from the loop. */
void transport_pump(struct transport *t);
/* With `input_is_tls`, what is in `in` is the begin of the client's handshake (implicit TLS behind
 * a PROXY header, both read at once). Without, `in` must be empty: after STARTTLS any octet in
 * clear there is an attack, and the caller's to refuse. What the kernel still holds counts as TLS.
 * `out` is flushed first, then the server's handshake runs; SECURE or FAILED follows. The context
 * is shared: the caller may free it before the connection. */
void transport_start_tls(struct transport *t, struct tls_context *context, bool input_is_tls);
/* The same on the client side: `in` must be empty, `out` is flushed first. */
void transport_start_tls_to(struct transport *t, struct tls_client_context *context);
/* NULL while plain. */
const struct tls *transport_tls(const struct transport *t);
/* "reset by peer", "tls: no shared cipher", ...; valid until transport_free(). */
const char *transport_failure(const struct transport *t);
bool transport_failed_in_tls(const struct transport *t);
/* One TRANSPORT_TIMEOUT after `seconds` from now; 0 switches it off. Replaces the one before. */
void transport_set_timeout(struct transport *t, double seconds);
/* Flush `out`, send close_notify, shut the writing side; DRAINED follows (or FAILED). What the
 * client still sends is thrown away: closing with unread octets would reset the connection and lose
 * the last reply. For the same reason transport_free() after DRAINED lets the kernel's socket live
 * on for two seconds at most, until the client has closed too, without the caller's doing. During a
 * handshake there is no way to say anything: `out` is dropped. */
void transport_finish(struct transport *t);

#endif
