#include "web.h"

#include <stdlib.h>

#include "base/mem.h"
#include "events/event_hub.h"
#include "http.h"
#include "metrics_text.h"
#include "monitor.h"

/* Nobody needs them more often, and whoever asks more often shall not make the hub work. */
#define METRICS_KEEP 1.0

struct web {
	struct http *http;
	struct monitor *monitor;
	struct web_settings settings;
};

static unsigned show_health(void *arg, struct buf *body)
{
	(void)arg;
	buf_append_string(body, "ok\n");
	return 200;
}

static unsigned show_readiness(void *arg, struct buf *body)
{
	const struct web *web = arg;

	if (!monitor_is_ready(web->monitor, body))
		return 503;
	buf_append_string(body, "ready\n");
	return 200;
}

static unsigned show_metrics(void *arg, struct buf *body)
{
	const struct web *web = arg;
	struct metrics_facts facts = {
		.counters = web->monitor->counters,
		.ready = monitor_is_ready(web->monitor, NULL),
		.version = web->settings.version,
		.command_word = web->settings.command_word,
	};
	struct event_hub_status *events = mem_new(sizeof *events);

	event_hub_tell(web->monitor->events, events);
	facts.subscribers = events->subscribers;
	if (events->head + 1 > events->oldest)
		facts.ring_events = events->head + 1 - events->oldest;
	free(events);
	metrics_text(body, &facts);
	return 200;
}

#define PLAIN "text/plain; charset=utf-8"

static const struct http_page pages[] = {
	{"/healthz", PLAIN, 0, show_health},
	{"/readyz", PLAIN, 0, show_readiness},
	{"/metrics", "text/plain; version=0.0.4; charset=utf-8", METRICS_KEEP, show_metrics},
};

struct web *web_new(struct ev_loop *loop, int listener, struct monitor *monitor,
		    const struct web_settings *settings)
{
	struct web *web;

	if (listener < 0)
		return NULL;
	web = mem_new(sizeof *web);
	web->monitor = monitor;
	web->settings = *settings;
	web->http = http_new(loop, listener, pages, sizeof pages / sizeof *pages, web);
	if (!web->http)
		web_free(&web);
	return web;
}

void web_free(struct web **web)
{
	if (!*web)
		return;
	http_free(&(*web)->http);
	free(*web);
	*web = NULL;
}
