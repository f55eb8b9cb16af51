#include "master.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "child.h"
#include "config/config.h"
#include "delivery/spool.h"
#include "runtime.h"
#include "shared/clients.h"
#include "shared/counters.h"

/* A child that dies soon after its start is started again after a pause, 0.1 s doubling to 5 s: a
 * fault that comes back at once must not eat the machine. */
#define RESTART_FIRST 0.1
#define RESTART_MOST  5.0
#define LIVED_WELL    10.0
/* Workers end by drain_timeout on their own; one that does not is ended. */
#define KILL_GRACE 5.0
/* A ticket key that is stolen opens the sessions of this time. */
#define ROTATE_SECONDS (12 * 3600.0)

/* A worker that was replaced and finishes its sessions. */
struct leaver {
	struct list link;
	pid_t pid;
	unsigned slot;
	double kill_at;
};

struct master {
	struct runtime runtime;
	const struct config *config;
	struct child *children;
	size_t children_len;
	struct list leavers;
	double rotate_at;
	sigset_t signals;
	int code;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- starting --- */

static void start_child(struct master *m, struct child *child)
{
	child->started = now();
	child->restart_at = child_start(child, &m->runtime) ? 0 : now() + RESTART_MOST;
}

/* Ends replaced workers whose time is over; returns how long the others have. */
static double kill_overdue(struct master *m)
{
	double left = ROTATE_SECONDS;

	list_each(at, after, &m->leavers)
	{
		struct leaver *leaver = list_of(at, struct leaver, link);

		if (leaver->kill_at <= now()) {
			kill(leaver->pid, SIGKILL);
			leaver->kill_at = now() + KILL_GRACE;
		}
		if (leaver->kill_at - now() < left)
			left = leaver->kill_at - now();
	}
	return left;
}

/* Starts what is due; returns how long nothing else will be. */
static double start_due(struct master *m)
{
	double pause = m->rotate_at - now();

	for (size_t i = 0; i < m->children_len; i++) {
		struct child *child = &m->children[i];

		if (child->pid)
			continue;
		if (child->restart_at <= now())
			start_child(m, child);
		else if (child->restart_at - now() < pause)
			pause = child->restart_at - now();
	}
	if (pause > kill_overdue(m))
		pause = kill_overdue(m);
	return pause > 0 ? pause : 0;
}

static void rotate_tickets(struct master *m)
{
	if (now() < m->rotate_at)
		return;
	runtime_rotate_tickets(&m->runtime);
	m->rotate_at = now() + ROTATE_SECONDS;
}

/* The slot's process is gone, and its connections with it. (A second reload while the workers of
 * the time before the first still drain makes their connections uncounted: few, and for a while.)
 */
static void clear_slot(struct master *m, const struct child *child)
{
	atomic_store(&counters_slot(m->runtime.counters, child_slot(child))->open, 0);
	clients_clear(m->runtime.clients, child_slot(child));
}

/* What a worker that is gone left in the spool, and its count. After two reloads in a row the slot
 * may have a new user, whose count it then is. */
static void clear_spool(struct master *m, pid_t pid, unsigned slot)
{
	int swept = spool_sweep(m->config->spool_dir, pid);

	if (swept > 0)
		log_info("%s: removed %d unfinished messages", m->config->spool_dir, swept);
	for (size_t i = 1; i < m->children_len; i++) {
		if (m->children[i].pid && child_slot(&m->children[i]) == slot)
			return;
	}
	atomic_store(&counters_slot(m->runtime.counters, slot)->spool, 0);
}

/* --- reload --- */

static void leave(struct master *m, pid_t pid, unsigned slot)
{
	struct leaver *leaver = mem_new(sizeof *leaver);

	leaver->pid = pid;
	leaver->slot = slot;
	leaver->kill_at = now() + m->config->drain_timeout + KILL_GRACE;
	list_append(&m->leavers, &leaver->link);
	kill(pid, SIGTERM);
}

/* New workers take over the listening sockets, with the certificates as they are now; then the old
 * ones finish their sessions. The new one comes first, so no client finds nobody. */
static void reload(struct master *m)
{
	char error[512];

	if (!runtime_reload_tls(&m->runtime, error, sizeof error)) {
		log_error("reload: nothing is changed: %s", error);
		return;
	}
	for (size_t i = 1; i < m->children_len; i++) {
		struct child *child = &m->children[i];
		pid_t old = child->pid;
		unsigned slot = child_slot(child);

		child->generation++;
		clear_slot(m, child);
		start_child(m, child);
		if (old)
			leave(m, old, slot);
	}
	log_info("reload: the certificates were read again, the workers replaced");
}

/* --- children that end --- */

/* False when the gateway cannot go on: a worker could not set itself up, and a new one could not
 * either. */
static bool child_ended(struct master *m, struct child *child, int status)
{
	char name[32];
	pid_t pid = child->pid;

	child->pid = 0;
	if (child->place) {
		clear_slot(m, child);
		clear_spool(m, pid, child_slot(child));
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == EX_CANTCREAT) {
		m->code = EX_CANTCREAT;
		return false;
	}
	if (WIFSIGNALED(status))
		log_error("%s died of signal %d (%s)", child_name(child, name), WTERMSIG(status),
			  strsignal(WTERMSIG(status)));
	else
		log_error("%s ended with code %d", child_name(child, name), WEXITSTATUS(status));
	if (now() - child->started > LIVED_WELL)
		child->pause = 0;
	child->restart_at = now() + child->pause;
	child->pause = child->pause > 0 ? child->pause * 2 : RESTART_FIRST;
	if (child->pause > RESTART_MOST)
		child->pause = RESTART_MOST;
	return true;
}

static void leaver_ended(struct master *m, pid_t pid)
{
	list_each(at, after, &m->leavers)
	{
		struct leaver *leaver = list_of(at, struct leaver, link);

		if (leaver->pid != pid)
			continue;
		list_remove(&leaver->link);
		clear_spool(m, pid, leaver->slot);
		free(leaver);
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

/* False when the gateway cannot go on. */
static bool reap(struct master *m, bool stopping)
{
	struct child *child;
	bool going = true;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		child = find_child(m, pid);
		if (!child)
			leaver_ended(m, pid);
		else if (stopping)
			child->pid = 0;
		else if (!child_ended(m, child, status))
			going = false;
	}
	return going;
}

/* --- the loop --- */

/* Waits for a signal; 0 when `seconds` are over. */
static int wait_for_signal(struct master *m, double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds,
			     .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
	int signal_number = sigtimedwait(&m->signals, NULL, &t);

	return signal_number < 0 ? 0 : signal_number;
}

static void supervise(struct master *m)
{
	for (;;) {
		int signal_number = wait_for_signal(m, start_due(m));

		if (signal_number == SIGTERM || signal_number == SIGINT)
			return;
		/* SIGCHLD or not: signals of one kind fall together, so look each time. */
		if (!reap(m, false))
			return;
		if (signal_number == SIGHUP)
			reload(m);
		rotate_tickets(m);
	}
}

/* Stops children [from, to) and waits for them; with the workers, for those that leave already. */
static void stop_children(struct master *m, size_t from, size_t to, double patience)
{
	double until = now() + patience;
	bool killed = false, running = true;

	for (size_t i = from; i < to; i++) {
		if (m->children[i].pid)
			kill(m->children[i].pid, SIGTERM);
	}
	while (running) {
		reap(m, true);
		running = !list_empty(&m->leavers);
		for (size_t i = from; i < to; i++) {
			running |= m->children[i].pid != 0;
			if (m->children[i].pid && now() > until && !killed)
				kill(m->children[i].pid, SIGKILL);
		}
		killed = now() > until;
		kill_overdue(m);
		if (running)
			wait_for_signal(m, 0.1);
	}
}

static void block_signals(struct master *m)
{
	sigemptyset(&m->signals);
	sigaddset(&m->signals, SIGTERM);
	sigaddset(&m->signals, SIGINT);
	sigaddset(&m->signals, SIGHUP);
	sigaddset(&m->signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &m->signals, NULL);
}

int master_serve(const struct config *config)
{
	struct master m = {.config = config, .code = EX_OK};
	char error[512];

	log_setup(config->log.level, config->log.json, "master");
	block_signals(&m);
	list_init(&m.leavers);
	if (!runtime_open(&m.runtime, config, error, sizeof error)) {
		log_error("%s", error);
		return EX_CANTCREAT;
	}
	m.rotate_at = now() + ROTATE_SECONDS;
	m.children_len = 1 + config->workers;
	m.children = mem_new(m.children_len * sizeof *m.children);
	for (size_t i = 0; i < m.children_len; i++)
		m.children[i].place = (unsigned)i;
	log_info("gatepost %s: %u workers, %zu listeners", GATEPOST_VERSION, config->workers,
		 config->listeners_len);
	supervise(&m);
	log_info("stopping");
	/* The master's own copies would keep taking clients that nobody serves any more. */
	runtime_close_listeners(&m.runtime);
	stop_children(&m, 1, m.children_len, config->drain_timeout + KILL_GRACE);
	stop_children(&m, 0, 1, KILL_GRACE);
	runtime_close(&m.runtime, true);
	free(m.children);
	return m.code;
}
