#include "hub.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/ident.h"
#include "base/log.h"
#include "config/config.h"
#include "events/event_hub.h"
#include "monitor/control.h"
#include "monitor/monitor.h"
#include "monitor/web.h"
#include "net/reaper.h"
#include "order.h"
#include "runtime.h"
#include "smtp/smtp.h"

#define SOFTWARE "gatepost/" GATEPOST_VERSION

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
	(void)watcher, (void)events;
	ev_break(loop, EVBREAK_ALL);
}

static const char *command_word(unsigned verb)
{
	return smtp_verb_word((enum smtp_verb)verb);
}

/* "reload WORKERS" or "reload-failed WORKERS WHY": the master has no way to subscribers. */
static void on_order(void *arg, const char *text)
{
	static const char done[] = "reload ", failed[] = "reload-failed ";
	bool good = strncmp(text, done, strlen(done)) == 0;
	struct event event;
	char *why;

	if (!good && strncmp(text, failed, strlen(failed)) != 0)
		return;
	event_init(&event, EVENT_GATEWAY_RELOAD, NULL, NULL);
	event_add_boolean(&event, "ok", good);
	event_add_integer(&event, "workers", strtol(strchr(text, ' '), &why, 10));
	if (!good && *why)
		event_add_octets(&event, "message",
				 (struct octets){.data = why + 1, .len = strlen(why + 1)});
	event_hub_publish(arg, &event);
}

int hub_run(struct runtime *runtime, int channel)
{
	const struct config *config = runtime->config;
	struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
	struct handshake_gateway gateway = {.name = config->hostname, .software = SOFTWARE};
	struct event_hub *hub;
	struct monitor monitor = {.counters = runtime->counters};
	struct control *control;
	struct web_settings pages = {.version = GATEPOST_VERSION, .command_word = command_word};
	struct web *web;
	struct event event;
	struct order order;
	ev_signal term;
	char epoch[IDENT_SIZE];

	if (!loop) {
		log_error("no event loop: libev finds no way to wait for descriptors");
		return EX_OSERR;
	}
	ident_make(epoch);
	gateway.epoch = epoch;
	ev_signal_init(&term, on_signal, SIGTERM);
	order_watch_term(loop, &term);
	hub = event_hub_new(loop, runtime->hub_socket, runtime->events_socket, config->events.ring,
			    config->events.subscribers, &gateway);
	for (size_t i = 0; i < config->events.uids.len; i++)
		event_hub_allow(hub, config->events.uids.items[i].uid);
	runtime->hub_socket = runtime->events_socket = -1; /* the hub's now */
	monitor.events = hub;
	monitor_start(&monitor, loop);
	control = control_new(loop, runtime->control_socket, &monitor, &gateway);
	web = web_new(loop, runtime->http_socket, &monitor, &pages);
	runtime->control_socket = runtime->http_socket = -1;
	event_init(&event, EVENT_GATEWAY_START, NULL, NULL);
	event_add_text(&event, "software", SOFTWARE);
	event_hub_publish(hub, &event);
	order_start(&order, loop, channel, on_order, hub);
	log_info("events: serving %s", runtime->events_path);
	ev_run(loop, 0);
	order_stop(&order, loop);
	web_free(&web);
	control_free(&control);
	monitor_stop(&monitor);
	event_hub_free(&hub);
	reaper_run(loop);
	/* `term` stays: see worker_end_stop(). */
	return EX_OK;
}
