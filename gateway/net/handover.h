/* handover: a channel from the master to one of its children: short texts, with a descriptor or
 * without. The child can open nothing that the master's account only may; so it is given it. */
#ifndef NET_HANDOVER_H
#define NET_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define HANDOVER_TEXT_MAX 1024

/* ends[0] is for sending, ends[1] for receiving; both close-on-exec and non-blocking. False with
 * errno. */
bool handover_open(int ends[static 2]);
/* `fd` -1: none; it stays the caller's. A text that is too long is cut. False (errno) when the
 * other end is gone or has not read what came before. */
bool handover_send(int channel, const char *text, int fd);
/* The next text, ended by NUL; *fd is the descriptor that came with it, the caller's now and
 * close-on-exec, or -1. False when there is none for now, or the other end is gone (*gone). */
bool handover_receive(int channel, char text[static HANDOVER_TEXT_MAX + 1], int *fd, bool *gone);

#endif
