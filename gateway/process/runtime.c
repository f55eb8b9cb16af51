#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "delivery/spool.h"
#include "net/listener.h"
#include "privileges.h"
#include "shared/clients.h"
#include "shared/counters.h"

/* Every worker has a TCP socket of its own; the kernel spreads the clients (SO_REUSEPORT). A Unix
 * socket has no such thing: the workers share one. */
static bool bind_listener(struct runtime *r, size_t listener, char *error, size_t size)
{
	const struct config_listener *settings = &r->config->listeners[listener];
	struct address address;

	if (!address_parse(settings->address, &address)) {
		snprintf(error, size, "%s: not an address", settings->address);
		return false;
	}
	for (unsigned worker = 0; worker < r->config->workers; worker++) {
		int *fd = &r->listeners[worker * r->config->listeners_len + listener];

		if (worker && address_is_unix(&address))
			*fd = fcntl(r->listeners[listener], F_DUPFD_CLOEXEC, 0);
		else
			*fd = listener_bind(&address, r->config->workers > 1, error, size);
		if (*fd < 0) {
			if (worker && address_is_unix(&address))
				snprintf(error, size, "%s: %s", settings->address, strerror(errno));
			return false;
		}
	}
	return true;
}

static int bind_unix(const char *path, mode_t mode, const char *user, char *error, size_t size)
{
	char text[128];
	struct address address;
	int fd;

	snprintf(text, sizeof text, "unix:%s", path);
	if (!address_parse(text, &address)) {
		snprintf(error, size, "%s: too long for a socket", path);
		return -1;
	}
	fd = listener_bind(&address, false, error, size);
	if (fd >= 0 && !privileges_give(path, mode, user, error, size)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool bind_http(struct runtime *r, char *error, size_t size)
{
	const struct config *config = r->config;
	struct address address;

	if (!config->http)
		return true;
	if (strncmp(config->http, "unix:", 5) == 0)
		r->http_socket = bind_unix(config->http + 5, 0660, config->user, error, size);
	else if (address_parse(config->http, &address))
		r->http_socket = listener_bind(&address, false, error, size);
	else
		snprintf(error, size, "%s: not an address", config->http);
	return r->http_socket >= 0;
}

static bool open_directories(struct runtime *r, char *error, size_t size)
{
	const struct config *config = r->config;
	int swept;

	if (!privileges_directory(config->runtime_dir, 0755, config->user, error, size) ||
	    !privileges_directory(config->spool_dir, 0750, config->user, error, size))
		return false;
	swept = spool_sweep(config->spool_dir, 0);
	if (swept < 0) {
		snprintf(error, size, "%s: cannot read the directory: %s", config->spool_dir,
			 strerror(errno));
		return false;
	}
	if (swept)
		log_info("%s: removed %d unfinished messages", config->spool_dir, swept);
	return true;
}

/* Clients a worker counts at a time; more than that are no longer limited one by one. */
#define CLIENTS_MAX 16384

static bool open_shared(struct runtime *r, char *error, size_t size)
{
	unsigned slots = r->config->workers * COUNTERS_GENERATIONS;

	r->counters = counters_new();
	r->clients = r->counters ? clients_new(slots, CLIENTS_MAX) : NULL;
	if (r->clients)
		return true;
	snprintf(error, size, "no memory for the shared counters: %s", strerror(errno));
	return false;
}

static bool open_all(struct runtime *r, char *error, size_t size)
{
	const struct config *config = r->config;

	if (!open_shared(r, error, size) || !open_directories(r, error, size) ||
	    !config_tls_open(config, r->tls, error, size))
		return false;
	r->events_socket = bind_unix(r->events_path, 0660, config->user, error, size);
	if (r->events_socket < 0)
		return false;
	r->control_socket = bind_unix(r->control_path, 0660, config->user, error, size);
	if (r->control_socket < 0)
		return false;
	r->hub_socket = bind_unix(r->hub_path, 0600, config->user, error, size);
	if (r->hub_socket < 0 || !bind_http(r, error, size))
		return false;
	for (size_t i = 0; i < config->listeners_len; i++) {
		if (!bind_listener(r, i, error, size))
			return false;
	}
	return true;
}

bool runtime_open(struct runtime *r, const struct config *config, char *error, size_t size)
{
	size_t n = config->workers * config->listeners_len;

	*r = (struct runtime){.config = config,
			      .hub_socket = -1,
			      .events_socket = -1,
			      .control_socket = -1,
			      .http_socket = -1};
	snprintf(r->hub_path, sizeof r->hub_path, "%s/hub.sock", config->runtime_dir);
	snprintf(r->events_path, sizeof r->events_path, "%s/events.sock", config->runtime_dir);
	snprintf(r->control_path, sizeof r->control_path, "%s/control.sock", config->runtime_dir);
	r->listeners = mem_new(n * sizeof *r->listeners);
	for (size_t i = 0; i < n; i++)
		r->listeners[i] = -1;
	r->is_open = open_all(r, error, size);
	if (r->is_open)
		return true;
	runtime_close(r, true);
	return false;
}

bool runtime_reload_tls(struct runtime *r, char *error, size_t size)
{
	struct tls_context *contexts[CONFIG_TLS_CONTEXTS_MAX];

	if (!config_tls_open(r->config, contexts, error, size))
		return false;
	config_tls_close(r->tls);
	memcpy(r->tls, contexts, sizeof contexts);
	return true;
}

void runtime_rotate_tickets(struct runtime *r)
{
	for (size_t i = 0; i < CONFIG_TLS_CONTEXTS_MAX; i++) {
		if (r->tls[i])
			tls_context_rotate(r->tls[i]);
	}
}

void runtime_close_listeners(struct runtime *r)
{
	for (size_t i = 0; i < r->config->workers * r->config->listeners_len; i++) {
		if (r->listeners[i] >= 0)
			close(r->listeners[i]);
		r->listeners[i] = -1;
	}
}

static void unlink_listeners(const struct config *config)
{
	for (size_t i = 0; i < config->listeners_len; i++) {
		if (strncmp(config->listeners[i].address, "unix:", 5) == 0)
			unlink(config->listeners[i].address + 5);
	}
}

static void close_socket(int *fd, const char *path, bool unlink_sockets)
{
	if (*fd < 0)
		return;
	close(*fd);
	*fd = -1;
	if (unlink_sockets)
		unlink(path);
}

void runtime_close(struct runtime *r, bool unlink_sockets)
{
	if (r->listeners)
		runtime_close_listeners(r);
	if (unlink_sockets && r->is_open)
		unlink_listeners(r->config);
	close_socket(&r->hub_socket, r->hub_path, unlink_sockets);
	close_socket(&r->events_socket, r->events_path, unlink_sockets);
	close_socket(&r->control_socket, r->control_path, unlink_sockets);
	if (r->http_socket >= 0 && strncmp(r->config->http, "unix:", 5) == 0)
		close_socket(&r->http_socket, r->config->http + 5, unlink_sockets);
	close_socket(&r->http_socket, "", false);
	free(r->listeners);
	r->listeners = NULL;
	config_tls_close(r->tls);
}
