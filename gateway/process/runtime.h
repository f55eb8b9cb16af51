/* runtime: what the master opens, as root if it is root, before any process that talks to the
 * outside exists: sockets, directories, keys, the shared counters. Children inherit it by fork().
 */
#ifndef PROCESS_RUNTIME_H
#define PROCESS_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config_tls.h"

struct clients;
struct counters;

struct runtime {
	const struct config *config;
	struct counters *counters; /* both by child_slot() */
	struct clients *clients;
	/* By the listener's client_certificates; NULL where no listener needs it. */
	struct tls_context *tls[CONFIG_TLS_CONTEXTS_MAX];
	bool is_open;	    /* the Unix sockets of the listeners are ours to remove */
	int *listeners;	    /* [worker * config->listeners_len + listener] */
	int hub_socket;	    /* workers dial it */
	int events_socket;  /* subscribers dial it */
	int control_socket; /* `gatepost status` dials it */
	int http_socket;    /* -1: none is wanted */
	char hub_path[108], events_path[108], control_path[108];
};

/* False with a reason in `error` and nothing left open. Also sweeps the spool directory. */
bool runtime_open(struct runtime *r, const struct config *config, char *error, size_t size);
/* Reads certificates, keys and CA again, for the processes that are started from now on. False with
 * a reason in `error` and nothing changed. */
bool runtime_reload_tls(struct runtime *r, char *error, size_t size);
/* New ticket keys in all processes. */
void runtime_rotate_tickets(struct runtime *r);
/* New clients are refused once no worker listens either. */
void runtime_close_listeners(struct runtime *r);
/* Closes everything; `unlink_sockets` in the master only. */
void runtime_close(struct runtime *r, bool unlink_sockets);

#endif
