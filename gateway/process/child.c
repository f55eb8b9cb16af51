#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/ident.h"
#include "base/log.h"
#include "config/config.h"
#include "hub.h"
#include "master_state.h"
#include "net/handover.h"
#include "net/passed.h"
#include "net/tls_tickets.h"
#include "privileges.h"
#include "runtime.h"
#include "shared/clients.h"
#include "shared/counters.h"
#include "worker.h"

const char *child_name(const struct child *child, char out[32])
{
	if (child->place)
		snprintf(out, 32, "worker %u", child->place - 1);
	else
		snprintf(out, 32, "hub");
	return out;
}

struct counters_slot *child_counters(const struct master *m, const struct child *child)
{
	return counters_slot(m->runtime.counters, child->slot);
}

/* --- the slots of a worker --- */

static bool find_slot(const struct master *m, const struct child *child, unsigned *slot)
{
	unsigned first = (child->place - 1) * COUNTERS_GENERATIONS;

	for (*slot = first; *slot < first + COUNTERS_GENERATIONS; ++*slot) {
		if (atomic_load(&counters_slot(m->runtime.counters, *slot)->state) ==
		    COUNTERS_EMPTY)
			return true;
	}
	return false;
}

bool child_has_slot(const struct master *m, const struct child *child)
{
	unsigned slot;

	return find_slot(m, child, &slot);
}

void child_clear(struct master *m, struct child *child)
{
	if (child->channel >= 0)
		close(child->channel);
	child->channel = -1;
	if (child->place) {
		counters_slot_clear(child_counters(m, child));
		clients_clear(m->runtime.clients, child->slot);
	}
	child->pid = 0;
}

/* --- in the child --- */

static void set_signals(void)
{
	sigset_t held;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file-size limit is a full disk: 452, no dead worker */
	/* Ctrl-C and a hang-up reach the whole group; the master says who stops when. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&held);
	sigaddset(&held, SIGTERM); /* see order_watch_term() */
	sigprocmask(SIG_SETMASK, &held, NULL);
}

/* A worker needs its own listening sockets only: a copy of another's would keep that port open when
 * the other stops. And nobody but the master talks to the other children. */
static void keep_own(struct master *m, const struct child *child)
{
	struct runtime *r = &m->runtime;

	for (size_t i = 0; i < m->children_len; i++) {
		if (m->children[i].channel >= 0)
			close(m->children[i].channel);
	}
	list_each(at, after, &m->leavers)
	{
		const struct child *leaver = list_of(at, struct child, link);

		if (leaver->channel >= 0)
			close(leaver->channel);
	}
	passed_close();
	if (!child->place) {
		sockets_close(&r->sockets);
		config_tls_close(r->tls);
		tls_tickets_free(&r->tickets);
		return;
	}
	sockets_keep(&r->sockets, child->place - 1, r->config->workers);
	close(r->hub_socket);
	close(r->events_socket);
	close(r->control_socket);
	r->hub_socket = r->events_socket = r->control_socket = -1;
	if (r->http_socket >= 0)
		close(r->http_socket);
	r->http_socket = -1;
}

/* `channel` is the end to read. */
static int run(struct master *m, const struct child *child, pid_t master, int channel)
{
	struct runtime *r = &m->runtime;
	char name[32], error[CONFIG_BLAME_SIZE];

	/* For ps and top; 15 octets at most. Numbers are in the log: the system's are no order. */
	prctl(PR_SET_NAME, child->place ? "gatepost worker" : "gatepost hub");
	log_name(child_name(child, name));
	ident_seed();
	keep_own(m, child);
	if (!privileges_drop(r->config->user, error, sizeof error)) {
		config_blame(r->config, "user", error, sizeof error);
		log_error("%s", error);
		return EX_CANTCREAT;
	}
	/* After the change of account, which clears it. Without a master nobody would stop this
	 * process. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != master)
		return EX_OK;
	set_signals();
	return child->place ? worker_run(r, child->place - 1, child->slot, channel)
			    : hub_run(r, channel);
}

/* --- in the master --- */

/* Before the workers look for them at the same time. */
static void take_rows(struct runtime *r)
{
	for (size_t i = 0; i < r->config->policies_len; i++)
		counters_policy_row(r->counters, r->config->policies[i].name);
	for (size_t i = 0; i < r->config->deliveries_len; i++)
		counters_delivery_row(r->counters, r->config->deliveries[i].name);
}

static void take_slot(struct master *m, struct child *child)
{
	struct counters_slot *slot = child_counters(m, child);

	atomic_store(&slot->state, COUNTERS_STARTING);
	atomic_store(&slot->since, (uint64_t)master_now());
}

bool child_start(struct master *m, struct child *child)
{
	pid_t master = getpid();
	int ends[2], code;

	if (child->place && !find_slot(m, child, &child->slot))
		return false;
	if (!handover_open(ends)) {
		log_error("cannot start a process: %s", strerror(errno));
		return false;
	}
	if (child->place)
		take_slot(m, child);
	take_rows(&m->runtime);
	child->channel = ends[0];
	child->pid = fork();
	if (child->pid == 0) {
		code = run(m, child, master, ends[1]);
		runtime_close(&m->runtime, false);
		exit(code);
	}
	close(ends[1]);
	if (child->pid < 0) {
		log_error("cannot start a process: %s", strerror(errno));
		child_clear(m, child);
		return false;
	}
	if (child->place)
		atomic_store(&child_counters(m, child)->pid, child->pid);
	return true;
}

/* --- a try --- */

#define TRY_TIME 20.0 /* for a directory on a file system that hangs */

static int try(const struct config *config)
{
	char error[CONFIG_BLAME_SIZE];

	log_name("reload");
	if (!privileges_drop(config->user, error, sizeof error)) {
		config_blame(config, "user", error, sizeof error);
		log_error("%s", error);
		return EX_CANTCREAT;
	}
	set_signals();
	return worker_try(config);
}

/* Why the try must not go on; NULL when it may. */
static const char *obstacle(double until)
{
	sigset_t pending;

	if (master_now() > until)
		return "it takes too long";
	if (sigpending(&pending) == 0 &&
	    (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT)))
		return "the gateway stops";
	return NULL;
}

bool child_try(struct master *m, const struct config *config)
{
	double until = master_now() + TRY_TIME;
	const struct timespec moment = {.tv_nsec = 2000000};
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		exit(try(config));
	if (pid < 0) {
		log_error("cannot start a process: %s", strerror(errno));
		return false;
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		const char *why = obstacle(until);

		if (why) {
			log_error("the try of the new configuration is given up: %s", why);
			/* Its end may be far, on a dead file system; supervise_reap() sees it. */
			kill(pid, SIGKILL);
			return false;
		}
		master_keep_watchdog(m);
		nanosleep(&moment, NULL);
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == EX_OK;
}
