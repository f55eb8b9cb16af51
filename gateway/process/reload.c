#include "reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "master_log.h"
#include "master_state.h"
#include "net/handover.h"
#include "net/notify.h"
#include "shared/counters.h"
#include "supervise.h"

/* A reload waits that long for the one before: new workers that cannot start must not keep their
 * operator from mending it. */
#define PATIENCE 5.0

/* --- what becomes of it --- */

/* The hub publishes it (see hub.c). */
static void tell_hub(struct master *m, const char *text)
{
	if (m->children[0].pid)
		handover_send(m->children[0].channel, text, -1);
}

/* `why`: a line for each fault. */
static void refuse(struct master *m, const char *why)
{
	char text[HANDOVER_TEXT_MAX];
	int first = (int)strcspn(why, "\n");

	for (const char *line = why; *line; line += strcspn(line, "\n"), line += *line == '\n')
		log_error("reload: %.*s", (int)strcspn(line, "\n"), line);
	log_error("reload: nothing is changed");
	counter_add(&counters_gateway(m->runtime.counters)->reload_failures, 1);
	snprintf(text, sizeof text, "reload-failed %u %.*s", m->runtime.config->workers, first,
		 why);
	tell_hub(m, text);
	/* What was not ready before is not ready now: the first worker that serves tells it. */
	notify_send(m->served ? "READY=1\nSTATUS=The last reload was refused: see the log"
			      : "STATUS=The last reload was refused: see the log");
}

static void tell_begin(void)
{
	char text[64];

	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)clock_us());
	notify_send(text);
}

/* --- reading --- */

/* False with a line for each fault in `errors`. */
static bool read_change(struct master *m, struct runtime_change *change, FILE *errors)
{
	const struct config *old = m->runtime.config;
	char error[CONFIG_BLAME_SIZE];

	change->config = config_load(m->file, errors);
	if (!change->config || !config_can_follow(old, change->config, errors))
		return false;
	if (!config_tls_open(change->config, m->runtime.tickets, change->tls, error,
			     sizeof error)) {
		fprintf(errors, "%s\n", error);
		return false;
	}
	if (!child_try(m, change->config)) {
		fprintf(errors, "%s: no worker could start with it; the log says why\n", m->file);
		return false;
	}
	/* Last: they are seen from outside at once. */
	if (master_log_open(change->config, error, sizeof error) &&
	    sockets_open(&change->sockets, change->config, &m->runtime.sockets, error,
			 sizeof error))
		return true;
	fprintf(errors, "%s\n", error);
	return false;
}

/* --- the workers --- */

static void start_workers(struct master *m)
{
	for (size_t i = 1; i < m->children_len; i++) {
		struct child *child = &m->children[i];

		if (child->pid)
			supervise_replace(m, child);
		child->restart_at = 0;
	}
	supervise_set_children(m, m->runtime.config->workers);
	supervise_turn(m);
}

static void begin(struct master *m)
{
	struct runtime_change change = {0};
	struct counters_gateway *gateway = counters_gateway(m->runtime.counters);
	char *why = NULL, text[64];
	size_t len = 0;
	FILE *errors = open_memstream(&why, &len);
	bool good;

	tell_begin();
	good = errors && read_change(m, &change, errors);
	if (errors)
		fclose(errors);
	if (!good) {
		config_tls_close(change.tls);
		config_free(&change.config);
		master_log_close();
		refuse(m, why ? why : strerror(ENOMEM));
		free(why);
		return;
	}
	free(why);
	runtime_adopt(&m->runtime, &change);
	master_log_use(m);
	counter_add(&gateway->reloads, 1);
	atomic_store(&gateway->reloaded, (uint64_t)time(NULL));
	atomic_store(&gateway->workers, m->runtime.config->workers);
	log_info("reload: %s was read again, %u new workers begin", m->file,
		 m->runtime.config->workers);
	snprintf(text, sizeof text, "reload %u", m->runtime.config->workers);
	tell_hub(m, text);
	m->reloading = true;
	m->reload_began = master_now();
	start_workers(m);
}

/* --- before and after --- */

/* They have closed their sockets. While an old worker still has one, its address cannot be bound
 * again. */
static bool have_let_go(const struct master *m)
{
	list_each(at, after, &m->leavers)
	{
		const struct child *leaver = list_of(at, struct child, link);

		if (atomic_load(&child_counters(m, leaver)->state) < COUNTERS_RETIRING)
			return false;
	}
	return true;
}

/* Whether `leaver` is the oldest process of its worker. */
static bool is_oldest(const struct master *m, const struct child *leaver)
{
	list_each(at, after, &m->leavers)
	{
		const struct child *other = list_of(at, struct child, link);

		if (other->place == leaver->place)
			return other == leaver;
	}
	return false;
}

/* A free slot for each worker that will want one. Where there is none, the oldest process of that
 * worker has to go; those of all workers at the same time, for each may take its drain_timeout. */
static bool make_room(struct master *m)
{
	bool room = true;

	list_each(at, after, &m->leavers)
	{
		struct child *leaver = list_of(at, struct child, link);

		if (child_has_slot(m, leaver))
			continue;
		room = false;
		if (is_oldest(m, leaver))
			supervise_drain(leaver);
	}
	return room;
}

static void finish(struct master *m)
{
	char text[96];

	m->reloading = false;
	list_each(at, after, &m->leavers) supervise_retire(list_of(at, struct child, link));
	log_info("reload: the new workers serve; the old ones finish their sessions");
	snprintf(text, sizeof text, "READY=1\nSTATUS=%u workers serve", m->runtime.config->workers);
	notify_send(text);
}

void reload_turn(struct master *m)
{
	if (m->reloading && supervise_all_serve(m))
		finish(m);
	if (!m->reload_due)
		return;
	if ((m->reloading || !have_let_go(m)) && master_now() < m->reload_began + PATIENCE)
		return;
	if (!make_room(m))
		return;
	m->reload_due = false;
	begin(m);
}
