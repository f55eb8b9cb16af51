/* sockets: the listening sockets of a configuration, one set for each listener.
 *
 *      TCP          [0][1][2]...   worker i takes each socket k with k % workers == i
 *      unix:, fd:   [0]...         all workers share each
 *
 * A set outlives the workers and, at a reload, the configuration: a socket that is closed resets
 * the clients in its queue, so one whose address stays is never closed. When there are fewer
 * workers than before, those that are there take the sockets of the others. */
#ifndef PROCESS_SOCKETS_H
#define PROCESS_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

struct config;

struct socket_set {
	char *address; /* as the configuration has it */
	bool shared;
	int *fds; /* -1: closed in this process */
	size_t n;
};

/* All zero: none. */
struct sockets {
	struct socket_set *sets; /* by the listener's place */
	size_t n;
};

/* One listening socket of an address as settings have it: made, or, for "fd:NAME", a copy of the
 * first one that was passed. -1 with a reason in `error`. */
int sockets_open_one(const char *text, char *error, size_t size);
/* The sockets for `config`: of an address that `old` has, the same ones and what more workers need;
 * of others, new ones. `old` stays as it is. False with a reason in `error`, and whatever was new
 * closed again. */
bool sockets_open(struct sockets *s, const struct config *config, const struct sockets *old,
		  char *error, size_t size);
/* `old` is replaced by `new`, which was made from it: what only `old` has is closed, and its Unix
 * sockets are removed from the disk. Workers that have them still can empty their queues. */
void sockets_replace(struct sockets *old, const struct sockets *new);
/* In a worker: closes what is not its own. */
void sockets_keep(struct sockets *s, unsigned worker, unsigned workers);
/* Somebody else holds it open: whoever is in its queue can wait there. */
bool sockets_is_passed(const struct socket_set *set);
/* Closes all; once no worker has them either, new clients are refused. */
void sockets_close(struct sockets *s);
/* Removes Unix sockets from the disk; for the master. */
void sockets_unlink(const struct sockets *s);
/* Closes all and frees the memory. */
void sockets_free(struct sockets *s);

#endif
