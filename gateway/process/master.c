#include "master.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/counters.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "hub.h"
#include "privileges.h"
#include "runtime.h"
#include "worker.h"

/* A child that dies soon after its start is started again after a pause, 0.1 s doubling to 5 s: a
 * fault that comes back at once must not eat the machine. */
#define RESTART_FIRST 0.1
#define RESTART_MOST  5.0
#define LIVED_WELL    10.0
/* Workers end by drain_timeout on their own; one that does not is ended. */
#define KILL_GRACE 5.0

struct child {
	pid_t pid;	/* 0: not running */
	unsigned place; /* 0: the hub; n: worker n-1 */
	double started, restart_at, pause;
};

struct master {
	struct runtime runtime;
	const struct config *config;
	struct child *children;
	size_t children_len;
	sigset_t signals;
	int code;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- the child's side --- */

/* A connection is a descriptor: the soft limit is often 1024. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warning("cannot raise the limit of descriptors: %s", strerror(errno));
}

static int child_main(struct master *m, const struct child *child, pid_t master)
{
	char name[32], error[256];
	sigset_t none;

	if (child->place)
		snprintf(name, sizeof name, "worker %u", child->place - 1);
	else
		snprintf(name, sizeof name, "hub");
	log_setup(m->config->log.level, m->config->log.json, name);
	ident_seed();
	raise_descriptor_limit();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file-size limit is a full disk: 452, no dead worker */
	signal(SIGINT,
	       SIG_IGN); /* Ctrl-C reaches the whole group; the master says who stops when */
	if (!privileges_drop(m->config->user, error, sizeof error)) {
		log_error("%s", error);
		return EX_CANTCREAT;
	}
	/* After the change of account, which clears it. Without a master nobody would stop this
	 * process. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != master)
		return EX_OK;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (child->place)
		return worker_run(&m->runtime, child->place - 1);
	return hub_run(&m->runtime);
}

/* A worker needs its own listening sockets only: a copy of another's would keep that port open when
 * the other stops. */
static void keep_own_sockets(struct master *m, const struct child *child)
{
	size_t n = m->config->listeners_len;

	for (size_t i = 0; i < m->config->workers * n; i++) {
		if (child->place && i / n == child->place - 1)
			continue;
		close(m->runtime.listeners[i]);
		m->runtime.listeners[i] = -1;
	}
	if (!child->place)
		return;
	close(m->runtime.hub_socket);
	close(m->runtime.events_socket);
	m->runtime.hub_socket = m->runtime.events_socket = -1;
}

static void start_child(struct master *m, struct child *child)
{
	pid_t master = getpid();
	int code;

	child->started = now();
	child->restart_at = 0;
	child->pid = fork();
	if (child->pid < 0) {
		log_error("cannot start a process: %s", strerror(errno));
		child->pid = 0;
		child->restart_at = now() + RESTART_MOST;
		return;
	}
	if (child->pid)
		return;
	keep_own_sockets(m, child);
	code = child_main(m, child, master);
	runtime_close(&m->runtime, false);
	free(m->children);
	exit(code);
}

/* --- the master's side --- */

static const char *child_name(const struct child *child, char out[32])
{
	if (child->place)
		snprintf(out, 32, "worker %u", child->place - 1);
	else
		snprintf(out, 32, "hub");
	return out;
}

/* False when the gateway cannot go on: a worker could not set itself up, and a new one could not
 * either. */
static bool child_ended(struct master *m, struct child *child, int status)
{
	char name[32];

	child->pid = 0;
	if (child->place)
		atomic_store(&counters_slot(m->runtime.counters, child->place - 1)->open, 0);
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
			continue;
		if (stopping)
			child->pid = 0;
		else if (!child_ended(m, child, status))
			going = false;
	}
	return going;
}

/* Waits for a signal; 0 when `seconds` are over. */
static int wait_for_signal(struct master *m, double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds,
			     .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
	int signal_number = sigtimedwait(&m->signals, NULL, &t);

	return signal_number < 0 ? 0 : signal_number;
}

/* Starts what is due; returns how long nothing else will be. */
static double start_due(struct master *m)
{
	double pause = 3600;

	for (size_t i = 0; i < m->children_len; i++) {
		struct child *child = &m->children[i];

		if (child->pid)
			continue;
		if (child->restart_at <= now())
			start_child(m, child);
		else if (child->restart_at - now() < pause)
			pause = child->restart_at - now();
	}
	return pause > 0 ? pause : 0;
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
	}
}

/* Stops children [from, to) and waits for them. */
static void stop_children(struct master *m, size_t from, size_t to, double patience)
{
	double until = now() + patience;
	bool killed = false, running = true;

	for (size_t i = from; i < to; i++) {
		if (m->children[i].pid)
			kill(m->children[i].pid, SIGTERM);
	}
	while (running) {
		running = false;
		reap(m, true);
		for (size_t i = from; i < to; i++) {
			running |= m->children[i].pid != 0;
			if (m->children[i].pid && now() > until && !killed)
				kill(m->children[i].pid, SIGKILL);
		}
		killed = now() > until;
		if (running)
			wait_for_signal(m, 0.1);
	}
}

static void block_signals(struct master *m)
{
	sigemptyset(&m->signals);
	sigaddset(&m->signals, SIGTERM);
	sigaddset(&m->signals, SIGINT);
	sigaddset(&m->signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &m->signals, NULL);
}

int master_serve(const struct config *config)
{
	struct master m = {.config = config, .code = EX_OK};
	char error[512];

	log_setup(config->log.level, config->log.json, "master");
	block_signals(&m);
	if (!runtime_open(&m.runtime, config, error, sizeof error)) {
		log_error("%s", error);
		return EX_CANTCREAT;
	}
	m.children_len = 1 + config->workers;
	m.children = mem_new(m.children_len * sizeof *m.children);
	for (size_t i = 0; i < m.children_len; i++)
		m.children[i].place = (unsigned)i;
	log_info("gatepost %s: %u workers, %zu listeners", GATEPOST_VERSION, config->workers,
		 config->listeners_len);
	supervise(&m);
	log_info("stopping");
	stop_children(&m, 1, m.children_len, config->drain_timeout + KILL_GRACE);
	stop_children(&m, 0, 1, KILL_GRACE);
	runtime_close(&m.runtime, true);
	free(m.children);
	return m.code;
}
