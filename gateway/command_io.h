/* command_io: what `gatepost events` and `gatepost status` have in common: a Unix socket of the
 * gateway, signals that end them, and an output that may be closed at any time.
 *
 * Functions that may end the command return COMMAND_GO_ON, or the exit code. */
#ifndef COMMAND_IO_H
#define COMMAND_IO_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define COMMAND_GO_ON (-1)

/* "PROGRAM: ..." on standard error. Returns `code`. */
int command_complain(const char *program, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* SIGINT and SIGTERM end the command, in order; a closed output is an error of write(). */
void command_catch_signals(void);
/* One of them has come. */
bool command_is_stopped(void);
/* Standard output is a terminal, and NO_COLOR does not ask for none. */
bool command_has_colour(void);
/* A connection to the socket, or -1 (errno; ENAMETOOLONG: the path is no socket's). */
int command_dial(const char *path);
/* As poll(), at once for a limit below 0; -1 also for a signal. The signals are let in only while
 * waiting, so that none falls between the look at command_is_stopped() and the wait. */
int command_wait(struct pollfd *fds, nfds_t n, long limit_ms);
/* Writes all of it to standard output. EX_OK: nobody reads any more (`| head`), which is a good
 * end, or the command is stopped. */
int command_write(const char *program, const char *data, size_t len);

#endif
