#include "runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "delivery/spool.h"
#include "net/listener.h"
#include "net/tls_tickets.h"
#include "privileges.h"
#include "shared/clients.h"
#include "shared/counters.h"

static bool blame(const struct runtime *r, const char *setting, char *error, size_t size)
{
	config_blame(r->config, setting, error, size);
	return false;
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

	if (!config->http)
		return true;
	if (strncmp(config->http, "unix:", 5) == 0)
		r->http_socket = bind_unix(config->http + 5, 0660, config->user, error, size);
	else
		r->http_socket = sockets_open_one(config->http, error, size);
	return r->http_socket >= 0 || blame(r, "http", error, size);
}

/* Those of the runtime directory. */
static bool bind_own(struct runtime *r, char *error, size_t size)
{
	const char *user = r->config->user;

	r->events_socket = bind_unix(r->events_path, 0660, user, error, size);
	if (r->events_socket >= 0)
		r->control_socket = bind_unix(r->control_path, 0660, user, error, size);
	if (r->control_socket >= 0)
		r->hub_socket = bind_unix(r->hub_path, 0600, user, error, size);
	return r->hub_socket >= 0 || blame(r, "runtime_dir", error, size);
}

static bool open_directories(struct runtime *r, char *error, size_t size)
{
	const struct config *config = r->config;

	if (!privileges_directory(config->runtime_dir, 0755, config->user, error, size))
		return blame(r, "runtime_dir", error, size);
	if (!privileges_directory(config->spool_dir, 0750, config->user, error, size))
		return blame(r, "spool_dir", error, size);
	return true;
}

/* Only after the sockets are ours: the files may be those of a gateway that runs already. */
static bool sweep(struct runtime *r, char *error, size_t size)
{
	const char *dir = r->config->spool_dir;
	int swept = spool_sweep(dir, 0);

	if (swept < 0) {
		snprintf(error, size, "%s: cannot read the directory: %s", dir, strerror(errno));
		return blame(r, "spool_dir", error, size);
	}
	if (swept)
		log_info("%s: removed %d unfinished messages", dir, swept);
	return true;
}

/* Clients a worker counts at a time; more than that are no longer limited one by one. */
#define CLIENTS_MAX 16384

static bool open_shared(struct runtime *r, char *error, size_t size)
{
	r->counters = counters_new();
	r->clients = r->counters ? clients_new(COUNTERS_SLOTS, CLIENTS_MAX) : NULL;
	if (!r->clients) {
		snprintf(error, size, "no memory for the shared counters: %s", strerror(errno));
		return false;
	}
	r->tickets = tls_tickets_new();
	if (r->tickets)
		return true;
	snprintf(error, size, "no keys for TLS tickets: %s", strerror(errno));
	return false;
}

static bool open_all(struct runtime *r, char *error, size_t size)
{
	const struct config *config = r->config;
	const struct sockets none = {0};

	r->is_open = open_shared(r, error, size) && open_directories(r, error, size) &&
		     config_tls_open(config, r->tickets, r->tls, error, size) &&
		     bind_own(r, error, size) && bind_http(r, error, size) &&
		     sockets_open(&r->sockets, config, &none, error, size);
	return r->is_open && sweep(r, error, size);
}

bool runtime_open(struct runtime *r, struct config *config, char *error, size_t size)
{
	*r = (struct runtime){.config = config,
			      .hub_socket = -1,
			      .events_socket = -1,
			      .control_socket = -1,
			      .http_socket = -1};
	snprintf(r->hub_path, sizeof r->hub_path, "%s/hub.sock", config->runtime_dir);
	snprintf(r->events_path, sizeof r->events_path, "%s/events.sock", config->runtime_dir);
	snprintf(r->control_path, sizeof r->control_path, "%s/control.sock", config->runtime_dir);
	if (open_all(r, error, size))
		return true;
	runtime_close(r, true);
	return false;
}

void runtime_adopt(struct runtime *r, struct runtime_change *change)
{
	sockets_replace(&r->sockets, &change->sockets);
	config_tls_close(r->tls);
	memcpy(r->tls, change->tls, sizeof r->tls);
	config_free(&r->config);
	r->config = change->config;
	*change = (struct runtime_change){0};
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
	if (unlink_sockets && r->is_open)
		sockets_unlink(&r->sockets);
	sockets_free(&r->sockets);
	close_socket(&r->hub_socket, r->hub_path, unlink_sockets);
	close_socket(&r->events_socket, r->events_path, unlink_sockets);
	close_socket(&r->control_socket, r->control_path, unlink_sockets);
	if (r->http_socket >= 0 && strncmp(r->config->http, "unix:", 5) == 0)
		close_socket(&r->http_socket, r->config->http + 5, unlink_sockets);
	close_socket(&r->http_socket, "", false);
	config_tls_close(r->tls);
	tls_tickets_free(&r->tickets);
	if (unlink_sockets)
		config_free(&r->config);
}
