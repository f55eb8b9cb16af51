#include "supervise.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "delivery/spool.h"
#include "master_state.h"
#include "net/handover.h"
#include "shared/counters.h"

/* A child that dies soon after its start is started again after a pause, 0.1 s doubling to 5 s: a
 * fault that comes back at once must not eat the machine. */
#define RESTART_FIRST 0.1
#define RESTART_MOST  5.0
#define LIVED_WELL    10.0
/* How often the state of others is looked at while somebody waits for it: it comes without a
 * signal, which a process without privileges could not send to the master. */
#define LOOK_AGAIN 0.02
#define FOREVER	   3600.0

void supervise_set_children(struct master *m, unsigned workers)
{
	size_t n = 1 + (size_t)workers;

	for (size_t i = m->children_len; i < n; i++)
		m->children[i] = (struct child){.place = (unsigned)i, .channel = -1};
	m->children_len = n;
}

/* --- starting --- */

static void start_child(struct master *m, struct child *child)
{
	const struct config *config = m->runtime.config;

	child->leave = CHILD_STAYS;
	child->retire_time = config->retire_timeout;
	child->drain_time = config->drain_timeout;
	child->started = master_now();
	child->restart_at = child_start(m, child) ? 0 : master_now() + RESTART_MOST;
}

static bool serves(const struct master *m, const struct child *child)
{
	return child->pid && atomic_load(&child_counters(m, child)->state) == COUNTERS_SERVING;
}

bool supervise_all_serve(const struct master *m)
{
	for (size_t i = 1; i < m->children_len; i++) {
		if (!serves(m, &m->children[i]))
			return false;
	}
	return true;
}

/* --- leaving --- */

void supervise_replace(struct master *m, struct child *child)
{
	struct child *leaver = mem_new(sizeof *leaver);

	*leaver = *child;
	leaver->leave = CHILD_REPLACED;
	leaver->kill_at = INFINITY;
	list_append(&m->leavers, &leaver->link);
	child->pid = 0;
	child->channel = -1;
	child->restart_at = child->pause = 0;
}

void supervise_drain(struct child *leaver)
{
	if (leaver->leave == CHILD_DRAINS)
		return;
	leaver->leave = CHILD_DRAINS;
	leaver->kill_at = master_now() + leaver->drain_time + KILL_GRACE;
	kill(leaver->pid, SIGTERM);
}

void supervise_retire(struct child *leaver)
{
	if (leaver->leave >= CHILD_RETIRES)
		return;
	leaver->leave = CHILD_RETIRES;
	/* The process sees to both times itself. */
	leaver->kill_at = master_now() + leaver->retire_time + leaver->drain_time + 2 * KILL_GRACE;
	if (!handover_send(leaver->channel, "retire", -1))
		supervise_drain(leaver);
}

/* Ends leavers whose time is over; returns how long the others have. */
static double kill_overdue(struct master *m)
{
	double left = FOREVER;

	list_each(at, after, &m->leavers)
	{
		struct child *leaver = list_of(at, struct child, link);

		if (leaver->kill_at <= master_now()) {
			kill(leaver->pid, SIGKILL);
			leaver->kill_at = master_now() + KILL_GRACE;
		}
		left = fmin(left, leaver->kill_at - master_now());
	}
	return left;
}

double supervise_turn(struct master *m)
{
	double pause = kill_overdue(m);

	for (size_t i = 0; i < m->children_len; i++) {
		struct child *child = &m->children[i];

		if (!child->pid && child->restart_at <= master_now())
			start_child(m, child);
		if (!child->pid)
			pause = fmin(pause, child->restart_at - master_now());
		else if (child->place && !serves(m, child))
			pause = fmin(pause, LOOK_AGAIN);
	}
	if (m->reload_due)
		pause = fmin(pause, LOOK_AGAIN);
	return fmax(pause, 0);
}

void supervise_tell(struct master *m, const char *text, int fd)
{
	char name[32];

	for (size_t i = 0; i < m->children_len; i++) {
		struct child *child = &m->children[i];

		if (child->pid && !handover_send(child->channel, text, fd))
			log_error("%s cannot be told: %s", child_name(child, name),
				  strerror(errno));
	}
	list_each(at, after, &m->leavers)
		handover_send(list_of(at, struct child, link)->channel, text, fd);
}

/* --- children that end --- */

/* What a worker that is gone left in the spool. */
static void clear_spool(struct master *m, pid_t pid)
{
	const char *dir = m->runtime.config->spool_dir;
	int swept = spool_sweep(dir, pid);

	if (swept > 0)
		log_info("%s: removed %d unfinished messages", dir, swept);
}

static void clear(struct master *m, struct child *child)
{
	pid_t pid = child->pid;

	child_clear(m, child);
	if (child->place)
		clear_spool(m, pid);
}

static void log_end(struct master *m, const struct child *child, int status)
{
	struct counters_gateway *gateway = counters_gateway(m->runtime.counters);
	char name[32];

	if (WIFSIGNALED(status))
		log_error("%s died of signal %d (%s)", child_name(child, name), WTERMSIG(status),
			  strsignal(WTERMSIG(status)));
	else
		log_error("%s ended with code %d", child_name(child, name), WEXITSTATUS(status));
	counter_add(child->place ? &gateway->worker_deaths : &gateway->hub_deaths, 1);
}

static void schedule_restart(struct child *child)
{
	if (master_now() - child->started > LIVED_WELL)
		child->pause = 0;
	child->restart_at = master_now() + child->pause;
	child->pause = child->pause > 0 ? child->pause * 2 : RESTART_FIRST;
	child->pause = fmin(child->pause, RESTART_MOST);
}

/* False when the gateway cannot go on: a worker could not set itself up, and none ever could. */
static bool child_ended(struct master *m, struct child *child, int status)
{
	clear(m, child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EX_CANTCREAT && !m->served) {
		m->code = EX_CANTCREAT;
		return false;
	}
	log_end(m, child, status);
	schedule_restart(child);
	return true;
}

static void leaver_ended(struct master *m, pid_t pid, int status)
{
	list_each(at, after, &m->leavers)
	{
		struct child *leaver = list_of(at, struct child, link);

		if (leaver->pid != pid)
			continue;
		list_remove(&leaver->link);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != EX_OK)
			log_end(m, leaver, status);
		clear(m, leaver);
		free(leaver);
		return;
	}
}

static struct child *find_child(struct master *m, pid_t pid)
{
	for (size_t i = 0; i < m->children_len; i++) {
		if (m->children[i].pid == pid)
			return &m->children[i];
	}
	return NULL;
}

bool supervise_reap(struct master *m)
{
	struct child *child;
	bool going = true;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		child = find_child(m, pid);
		if (!child)
			leaver_ended(m, pid, status);
		else if (!child_ended(m, child, status))
			going = false;
	}
	return going;
}

/* --- the end of all --- */

static void wait_for_leavers(struct master *m)
{
	while (!list_empty(&m->leavers)) {
		master_wait(m, fmin(fmax(kill_overdue(m), 0), 1));
		supervise_reap(m);
	}
}

void supervise_stop(struct master *m)
{
	for (size_t i = 1; i < m->children_len; i++) {
		if (m->children[i].pid)
			supervise_replace(m, &m->children[i]);
	}
	list_each(at, after, &m->leavers) supervise_drain(list_of(at, struct child, link));
	wait_for_leavers(m);
	/* Last, for it has the workers' last events to tell. */
	if (m->children[0].pid) {
		m->children[0].drain_time = 0;
		supervise_replace(m, &m->children[0]);
		supervise_drain(list_of(m->leavers.next, struct child, link));
		wait_for_leavers(m);
	}
}
