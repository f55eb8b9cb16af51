/* control: control.sock, where `gatepost status` asks.
 *
 *      {"type":"status"} --->
 *                        <--- {"type":"status",...}      as often as the client likes
 *
 * What a client can make the hub do is bounded: so many clients, one answer each in memory, a line
 * that is no request ends the connection, and so does a minute without one. */
#ifndef MONITOR_CONTROL_H
#define MONITOR_CONTROL_H

#include <ev.h>

#include "protocol/handshake.h"

struct control;
struct monitor;

#define CONTROL_CLIENTS_MAX 16

/* Takes over the listening descriptor. `monitor` (started) and `gateway` must outlive it. */
struct control *control_new(struct ev_loop *loop, int listener, struct monitor *monitor,
			    const struct handshake_gateway *gateway);
/* Closes now, frees after the loop turn. */
void control_free(struct control **control);

#endif
