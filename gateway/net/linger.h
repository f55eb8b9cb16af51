/* linger: the last seconds of a connection that we have finished and the client has not.
 *
 *      last reply, FIN -->        close() here, with octets unread, would send RST, and RST
 * destroys
 *      <-- still sending ... FIN  the reply in the client's receive buffer
 *
 * The socket stays open until the client's FIN, for a short time at most, and what arrives is
 * thrown away. */
#ifndef NET_LINGER_H
#define NET_LINGER_H

#include <ev.h>

enum linger_result { LINGER_MORE, LINGER_EOF, LINGER_ERROR };

/* Reads once and throws away what came; never blocks. */
enum linger_result linger_discard(int fd);
/* Takes fd over, whose writing side is shut. It keeps the loop running until it is closed. */
void linger_start(struct ev_loop *loop, int fd);

#endif
