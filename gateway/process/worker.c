#include "worker.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "delivery/delivery.h"
#include "delivery/io_pool.h"
#include "events/event_bus.h"
#include "net/listener.h"
#include "net/reaper.h"
#include "net/resolver.h"
#include "policy/policy.h"
#include "runtime.h"
#include "session/session.h"
#include "shared/counters.h"
#include "worker_delivery.h"
#include "worker_end.h"
#include "worker_listener.h"
#include "worker_policy.h"
#include "worker_state.h"

#define IO_THREADS 8	   /* fsync() waits for the disk, not for a processor */
#define EVENTS_MAX 4194304 /* octets of events that wait for the hub */
/* Clients that come before the services are connected would be told to try again. Accepting waits
 * for the services this long at most: a service that is down must not keep the door shut. */
#define START_GRACE 2.0

void worker_set_state(struct worker *w, enum counters_state state)
{
	uint64_t now = clock_seconds();

	atomic_store(&w->host.slot->since, now);
	atomic_store(&w->host.slot->alive, now);
	atomic_store(&w->host.slot->state, (int)state);
}

/* Readiness sees by it that the loop does not hang. */
static void on_pulse(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct worker *w = timer->data;

	(void)loop, (void)events;
	atomic_store(&w->host.slot->alive, clock_seconds());
}

void worker_publish(struct worker *w, enum event_kind kind)
{
	struct event event;

	event_init(&event, kind, NULL, NULL);
	event_add_integer(&event, "worker", w->number);
	event_bus_publish(w->host.events, &event);
}

/* --- listeners --- */

static void on_accept(void *arg, int fd, const struct address *peer, const struct address *local)
{
	session_new(arg, fd, peer, local);
}

static void note_missing(struct worker *w, const char *policy)
{
	struct counters *counters = w->runtime->counters;

	atomic_store(&w->host.slot->missing,
		     policy ? (int)counters_policy_row(counters, policy) + 1 : 0);
}

/* All of this worker's sockets, of which a listener may have several. */
static void accept_on(struct worker *w, size_t place)
{
	struct socket_set *set = &w->runtime->sockets.sets[place];

	for (size_t k = 0; k < set->n; k++) {
		if (set->fds[k] < 0)
			continue;
		w->accepting =
			mem_resize(w->accepting, (w->accepting_len + 1) * sizeof *w->accepting);
		w->accepting[w->accepting_len++] = (struct worker_socket){
			.listener =
				listener_new(w->loop, set->fds[k], on_accept, &w->listeners[place]),
			.passed = sockets_is_passed(set),
		};
		set->fds[k] = -1; /* the listener's now */
	}
}

static void start_accepting(struct worker *w)
{
	if (w->accepts || w->leaves)
		return;
	w->accepts = true;
	ev_timer_stop(w->loop, &w->start);
	for (size_t i = 0; i < w->config->listeners_len; i++)
		accept_on(w, i);
	note_missing(w, policy_missing(w->host.policy));
	worker_set_state(w, COUNTERS_SERVING);
	worker_publish(w, EVENT_GATEWAY_READY);
	log_info("accepting connections");
}

static void on_start(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	log_warning("not every policy service is connected: accepting connections without");
	start_accepting(timer->data);
}

static void on_readiness(void *arg, bool ready, const char *policy)
{
	struct worker *w = arg;
	struct event event;

	if (ready && w->unready)
		worker_publish(w, EVENT_GATEWAY_READY);
	w->unready = !ready;
	note_missing(w, policy);
	if (ready)
		return;
	log_warning("policy %s is required and away: not ready", policy);
	event_init(&event, EVENT_GATEWAY_UNREADY, NULL, NULL);
	event_add_integer(&event, "worker", w->number);
	event_add_text(&event, "policy", policy);
	event_bus_publish(w->host.events, &event);
}

static void on_policy_event(void *arg, const struct event *event)
{
	struct worker *w = arg;

	event_bus_publish(w->host.events, event);
	if (event->kind == EVENT_POLICY_SERVICE && w->host.policy &&
	    policy_is_connected(w->host.policy))
		start_accepting(w);
}

/* --- set-up --- */

static void blame_delivery(const struct config *config, size_t place, char *error, size_t size)
{
	const struct config_delivery *d = &config->deliveries[place];
	char setting[64];

	snprintf(setting, sizeof setting, "deliveries[%zu].%s", place,
		 d->kind == CONFIG_DELIVERY_MAILDIR ? "maildir"
		 : d->tls_ca			    ? "tls_ca"
						    : "name");
	config_blame(config, setting, error, size);
	log_error("%s", error);
}

static bool set_up_deliveries(struct worker *w)
{
	const struct config *config = w->config;
	char error[CONFIG_BLAME_SIZE];

	w->io = io_pool_new(w->loop, IO_THREADS);
	w->deliveries = mem_new(config->deliveries_len * sizeof(struct delivery *));
	for (size_t i = 0; i < config->deliveries_len; i++) {
		struct worker_delivery delivery;
		unsigned row;

		worker_delivery_init(&delivery, config, i);
		row = counters_delivery_row(w->runtime->counters, delivery.settings.name);
		delivery.settings.counters = &w->host.slot->deliveries[row];
		w->deliveries[i] =
			delivery_new(w->loop, &delivery.settings, w->io, error, sizeof error);
		if (!w->deliveries[i]) {
			blame_delivery(config, i, error, sizeof error);
			return false;
		}
	}
	return true;
}

/* Or the first large message would be told that it cannot be stored. */
static bool spool_is_usable(const struct worker *w)
{
	const char *dir = w->config->spool_dir;
	char error[CONFIG_BLAME_SIZE];

	if (faccessat(AT_FDCWD, dir, R_OK | W_OK | X_OK, AT_EACCESS) == 0)
		return true;
	snprintf(error, sizeof error,
		 "%s: %s; the account to which gatepost changes (user) must be able to write there",
		 dir, strerror(errno));
	config_blame(w->config, "spool_dir", error, sizeof error);
	log_error("%s", error);
	return false;
}

static void set_up_policy(struct worker *w)
{
	struct policy_callbacks callbacks = {
		.on_event = on_policy_event, .on_readiness = on_readiness, .arg = w};

	worker_policy_init(&w->policy, w->config, w->number);
	worker_policy_count(&w->policy, w->runtime->counters, w->host.slot);
	w->host.policy = policy_new(w->loop, &w->policy.settings, &callbacks);
}

/* Only where a listener wants names. */
static bool set_up_resolver(struct worker *w)
{
	const struct config *config = w->config;
	struct buf servers;
	char error[CONFIG_BLAME_SIZE];
	bool wanted = false;

	for (size_t i = 0; i < config->listeners_len; i++)
		wanted |= config->listeners[i].resolve_names;
	if (!wanted)
		return true;
	buf_init(&servers, 4096);
	for (size_t i = 0; i < config->resolver.servers.len; i++)
		buf_printf(&servers, "%s%s", i ? "," : "", config->resolver.servers.items[i]);
	buf_append(&servers, "", 1);
	w->host.resolver = resolver_new(w->loop, servers.len > 1 ? buf_head(&servers) : NULL,
					config->resolver.timeout, error, sizeof error);
	buf_fini(&servers);
	if (w->host.resolver)
		return true;
	config_blame(config, "resolver", error, sizeof error);
	log_error("%s", error);
	return false;
}

static void set_up_host(struct worker *w)
{
	const struct config *config = w->config;

	w->host.loop = w->loop;
	w->host.counters = w->runtime->counters;
	w->host.slot = counters_slot(w->runtime->counters, w->slot);
	w->host.clients = w->runtime->clients;
	w->host.worker = w->slot;
	w->host.hostname = config->hostname;
	w->host.spool = (struct spool){
		.dir = config->spool_dir,
		.limit = config->limits.spool,
		.counters = w->host.counters,
		.slot = w->host.slot,
	};
	w->host.connections_max = config->limits.connections;
	w->host.connections_per_client = config->limits.connections_per_client;
	w->host.banner_wait = config->limits.banner_wait;
	w->host.data_rate = config->limits.data_rate;
	w->host.command_timeout = config->limits.command_timeout;
	w->host.data_timeout = config->limits.data_timeout;
	w->host.session_time = config->limits.session_time;
	w->host.message_time = config->limits.message_time;
	list_init(&w->host.sessions);
	w->host.events = event_bus_new(w->loop, w->runtime->hub_path, EVENTS_MAX, w->host.slot);
	event_bus_redact(w->host.events, config->events.redact);
}

static void free_deliveries(struct worker *w)
{
	/* Deliveries of sessions that were cut run to their end here. */
	io_pool_free(&w->io);
	for (size_t i = 0; w->deliveries && i < w->config->deliveries_len; i++)
		delivery_free(&w->deliveries[i]);
	free(w->deliveries);
}

static void tear_down(struct worker *w)
{
	ev_timer_stop(w->loop, &w->start);
	policy_free(&w->host.policy);
	resolver_free(&w->host.resolver);
	free_deliveries(w);
	event_bus_free(&w->host.events);
	reaper_run(w->loop);
	worker_policy_fini(&w->policy);
	free(w->listeners);
	free(w->accepting);
}

static void start(struct worker *w, int channel)
{
	size_t n = w->config->listeners_len;

	w->listeners = mem_new(n * sizeof *w->listeners);
	for (size_t i = 0; i < n; i++)
		worker_listener_init(&w->listeners[i], w->config, i, &w->host, w->runtime->tls,
				     w->deliveries);
	worker_end_start(w, channel);
	ev_timer_init(&w->start, on_start, START_GRACE, 0);
	w->start.data = w;
	ev_timer_start(w->loop, &w->start);
	ev_timer_init(&w->pulse, on_pulse, 1, 1);
	w->pulse.data = w;
	ev_timer_start(w->loop, &w->pulse);
	if (policy_is_connected(w->host.policy))
		start_accepting(w);
}

int worker_run(struct runtime *runtime, unsigned number, unsigned slot, int channel)
{
	struct worker w = {
		.runtime = runtime, .config = runtime->config, .number = number, .slot = slot};
	int code = EX_OK;

	w.loop = ev_default_loop(EVFLAG_AUTO);
	if (!w.loop) {
		log_error("no event loop: libev finds no way to wait for descriptors");
		return EX_OSERR;
	}
	set_up_host(&w);
	set_up_policy(&w);
	if (spool_is_usable(&w) && set_up_resolver(&w) && set_up_deliveries(&w)) {
		start(&w, channel);
		ev_run(w.loop, 0);
		ev_timer_stop(w.loop, &w.pulse);
		worker_end_stop(&w);
	} else {
		code = EX_CANTCREAT;
	}
	tear_down(&w);
	return code;
}

int worker_try(const struct config *config)
{
	struct runtime trial = {.counters = counters_new()}; /* names that may never be used */
	struct worker w = {.runtime = &trial, .config = config};
	int code = EX_CANTCREAT;

	w.loop = ev_default_loop(EVFLAG_AUTO);
	if (!w.loop || !trial.counters) {
		log_error("no event loop, or no memory for counters");
		return EX_OSERR;
	}
	w.host.slot = counters_slot(trial.counters, 0);
	if (set_up_resolver(&w) && set_up_deliveries(&w))
		code = EX_OK;
	resolver_free(&w.host.resolver);
	free_deliveries(&w);
	reaper_run(w.loop);
	return code;
}
