/* wire: the octets of one connection, without a loop: a socket, the buffers, the TLS stage.
 *
 *      socket --recv--> network.in --> [ tls ] --> in     (plain: socket --recv--> in)
 *      socket <--send-- network.out <-- [ tls ] <-- out   (plain: socket <--send-- out)
 *
 * What became known is noted in `due`; transport tells it from the loop. */
#ifndef NET_WIRE_H
#define NET_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/counter.h"
#include "tls.h"
#include "transport.h"

#define WIRE_DUE(event) (1U << (event))

enum wire_stage {
	WIRE_PLAIN,
	WIRE_TURN,	/* TLS comes once the reply in clear is out */
	WIRE_HANDSHAKE, /* from here on the socket carries TLS */
	WIRE_SECURE,
};

/* What TLS reads and writes. */
struct wire_network {
	struct buf in, out;
};

struct wire {
	int fd;
	struct buf in, out;
	struct wire_network *network; /* NULL while plain */
	struct tls *tls;
	enum wire_stage stage;
	counter *counted_in, *counted_out; /* see transport_count(); NULL: nobody counts */
	unsigned due;			   /* WIRE_DUE() of each transport event not yet told */
	bool connecting;		   /* nothing can be read or written yet */
	bool socket_eof;		   /* recv() has returned 0 */
	bool input_over; /* EOF was made due; after close_notify that may be before socket_eof */
	bool finishing;
	bool notified; /* close_notify is queued */
	bool shut;     /* all is sent, the writing side is shut */
	bool failed;
	bool failed_in_tls;
	char *failure; /* NULL: none */
};

/* Takes fd over; wire_fini() does not close it. */
void wire_init(struct wire *w, int fd, size_t in_max, size_t out_max);
void wire_fini(struct wire *w);
/* The socket is writable: makes out whether it has connected. */
void wire_connected(struct wire *w);
/* Reads once; what came while finishing is thrown away. */
void wire_receive(struct wire *w);
/* Moves octets through TLS and to the kernel as far as they go; shuts when finished. */
void wire_move(struct wire *w);
bool wire_wants_read(struct wire *w);
bool wire_wants_write(struct wire *w);
/* See transport.h. They want a wire_move() afterwards. */
void wire_start_tls(struct wire *w, struct tls_context *context, bool input_is_tls);
void wire_start_tls_to(struct wire *w, struct tls_client_context *context);
void wire_finish(struct wire *w);
/* `error` is an errno value. */
void wire_fail(struct wire *w, int error);

#endif
