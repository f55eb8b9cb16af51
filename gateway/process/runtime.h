/* runtime: what the master opens, as root if it is root, before any process that talks to the
 * outside exists: sockets, directories, keys, the shared counters. Children inherit it by fork().
 */
#ifndef PROCESS_RUNTIME_H
#define PROCESS_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config_tls.h"
#include "sockets.h"

struct clients;
struct config;
struct counters;
struct tls_tickets;

struct runtime {
	struct config *config;
	struct counters *counters; /* both by a process's slot */
	struct clients *clients;
	struct tls_tickets *tickets; /* of all configurations; NULL in the hub */
	/* By the listener's client_certificates; NULL where no listener needs it. */
	struct tls_context *tls[CONFIG_TLS_CONTEXTS_MAX];
	bool is_open; /* the Unix sockets of the listeners are ours to remove */
	struct sockets sockets;
	int hub_socket;	    /* workers dial it */
	int events_socket;  /* subscribers dial it */
	int control_socket; /* `gatepost status` dials it */
	int http_socket;    /* -1: none is wanted */
	char hub_path[108], events_path[108], control_path[108];
};

/* What a reload replaces. Made beside the one in use, so that a fault changes nothing. */
struct runtime_change {
	struct config *config;
	struct tls_context *tls[CONFIG_TLS_CONTEXTS_MAX];
	struct sockets sockets;
};

/* Takes the configuration over, and frees it in any case. False with a reason in `error` and
 * nothing left open. Also sweeps the spool directory. */
bool runtime_open(struct runtime *r, struct config *config, char *error, size_t size);
/* Replaces configuration, keys and sockets, for the processes that are started from now on. */
void runtime_adopt(struct runtime *r, struct runtime_change *change);
/* Closes everything; `unlink_sockets` in the master only, which also frees the configuration. */
void runtime_close(struct runtime *r, bool unlink_sockets);

#endif
