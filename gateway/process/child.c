#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/ident.h"
#include "base/log.h"
#include "config/config.h"
#include "hub.h"
#include "privileges.h"
#include "runtime.h"
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

unsigned child_slot(const struct child *child)
{
	return (child->place - 1) * COUNTERS_GENERATIONS + child->generation % COUNTERS_GENERATIONS;
}

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

static void set_signals(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file-size limit is a full disk: 452, no dead worker */
	/* Ctrl-C and a hang-up reach the whole group; the master says who stops when. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A worker needs its own listening sockets only: a copy of another's would keep that port open when
 * the other stops. */
static void keep_own_sockets(struct runtime *r, const struct child *child)
{
	size_t n = r->config->listeners_len;

	for (size_t i = 0; i < r->config->workers * n; i++) {
		if (child->place && i / n == child->place - 1)
			continue;
		close(r->listeners[i]);
		r->listeners[i] = -1;
	}
	if (!child->place)
		return;
	close(r->hub_socket);
	close(r->events_socket);
	close(r->control_socket);
	r->hub_socket = r->events_socket = r->control_socket = -1;
	if (r->http_socket >= 0)
		close(r->http_socket);
	r->http_socket = -1;
}

static int run(struct runtime *r, const struct child *child, pid_t master)
{
	char name[32], error[256];

	/* For ps and top; 15 octets at most. Numbers are in the log: the system's are no order. */
	prctl(PR_SET_NAME, child->place ? "gatepost worker" : "gatepost hub");
	log_setup(r->config->log.level, r->config->log.json, child_name(child, name));
	ident_seed();
	raise_descriptor_limit();
	keep_own_sockets(r, child);
	if (!privileges_drop(r->config->user, error, sizeof error)) {
		log_error("%s", error);
		return EX_CANTCREAT;
	}
	/* After the change of account, which clears it. Without a master nobody would stop this
	 * process. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != master)
		return EX_OK;
	set_signals();
	return child->place ? worker_run(r, child->place - 1, child_slot(child)) : hub_run(r);
}

/* Before the workers look for them at the same time. */
static void take_rows(struct runtime *r)
{
	for (size_t i = 0; i < r->config->policies_len; i++)
		counters_policy_row(r->counters, r->config->policies[i].name);
	for (size_t i = 0; i < r->config->deliveries_len; i++)
		counters_delivery_row(r->counters, r->config->deliveries[i].name);
}

bool child_start(struct child *child, struct runtime *runtime)
{
	pid_t master = getpid();
	int code;

	take_rows(runtime);
	child->pid = fork();
	if (child->pid > 0)
		return true;
	if (child->pid < 0) {
		log_error("cannot start a process: %s", strerror(errno));
		child->pid = 0;
		return false;
	}
	code = run(runtime, child, master);
	runtime_close(runtime, false);
	exit(code);
}
