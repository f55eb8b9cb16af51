/* notify: what a service manager is told of the process, after sd_notify(3).
 *
 * One datagram each to the socket that NOTIFY_SOCKET names. The protocol is documented for
 * implementations of one's own; systemd's library would bring far more than these two functions. */
#ifndef NET_NOTIFY_H
#define NET_NOTIFY_H

/* Assignments, one a line: "READY=1\nSTATUS=...". Nothing happens without a manager. Never waits.
 */
void notify_send(const char *text);
/* Seconds within which the manager wants to hear WATCHDOG=1 again; 0: it does not. */
double notify_watchdog(void);

#endif
