/* runtime: what the master opens, as root if it is root, before any process that talks to the
 * outside exists: sockets, directories, keys, the shared counters. Children inherit it by fork().
 */
#ifndef PROCESS_RUNTIME_H
#define PROCESS_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct counters;
struct tls_context;

struct runtime {
	const struct config *config;
	struct counters *counters;
	struct tls_context *tls; /* NULL when no listener speaks TLS */
	int *listeners;		 /* [worker * config->listeners_len + listener] */
	int hub_socket;		 /* workers dial it */
	int events_socket;	 /* subscribers dial it */
	char hub_path[108], events_path[108];
};

/* False with a reason in `error` and nothing left open. Also sweeps the spool directory. */
bool runtime_open(struct runtime *r, const struct config *config, char *error, size_t size);
/* Closes everything; `unlink_sockets` in the master only. */
void runtime_close(struct runtime *r, bool unlink_sockets);

#endif
