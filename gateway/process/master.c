#include "master.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "master_log.h"
#include "master_state.h"
#include "net/notify.h"
#include "net/tls_tickets.h"
#include "reload.h"
#include "shared/counters.h"
#include "supervise.h"

double master_now(void)
{
	return (double)clock_us() / 1e6;
}

/* The service manager hears of this process, for the others have their own supervisor: this one. */
double master_keep_watchdog(struct master *m)
{
	double now = master_now();

	if (m->watchdog <= 0)
		return INFINITY;
	if (m->watchdog_at <= now) {
		notify_send("WATCHDOG=1");
		m->watchdog_at = now + m->watchdog / 2;
	}
	return m->watchdog_at - now;
}

int master_wait(struct master *m, double seconds)
{
	double pause = fmin(seconds, master_keep_watchdog(m));
	struct timespec t = {.tv_sec = (time_t)pause,
			     .tv_nsec = (long)((pause - (double)(time_t)pause) * 1e9)};
	int signal_number = sigtimedwait(&m->signals, NULL, &t);

	return signal_number < 0 ? 0 : signal_number;
}

static bool is_stop(int signal_number)
{
	return signal_number == SIGTERM || signal_number == SIGINT;
}

static double rotate_tickets(struct master *m)
{
	if (master_now() >= m->rotate_at) {
		tls_tickets_rotate(m->runtime.tickets);
		m->rotate_at = master_now() + TLS_TICKETS_SECONDS;
	}
	return m->rotate_at - master_now();
}

static void note_service(struct master *m)
{
	char text[96];

	if (m->served)
		return;
	for (size_t i = 1; i < m->children_len && !m->served; i++) {
		const struct child *child = &m->children[i];

		m->served = child->pid &&
			    atomic_load(&child_counters(m, child)->state) == COUNTERS_SERVING;
	}
	if (!m->served)
		return;
	snprintf(text, sizeof text, "READY=1\nSTATUS=%u workers serve", m->runtime.config->workers);
	notify_send(text);
}

/* One wait, at most until `until`, and what follows from it. False when the gateway cannot go on or
 * is told to stop (*order). */
static bool turn(struct master *m, double until, bool *order)
{
	double pause = rotate_tickets(m);
	int signal_number;

	note_service(m);
	if (!m->stopping)
		reload_turn(m);
	pause = fmin(pause, supervise_turn(m));
	signal_number = master_wait(m, fmax(fmin(pause, until - master_now()), 0));
	*order = is_stop(signal_number);
	if (signal_number == SIGHUP && m->stopping)
		log_warning("no reload: the gateway stops");
	else if (signal_number == SIGHUP)
		m->reload_due = true;
	if (signal_number == SIGUSR1)
		master_log_reopen(m);
	/* SIGCHLD or not: signals of one kind fall together, so look each time. */
	return supervise_reap(m) && !*order;
}

/* Load balancers see that it is not ready, and new clients are still served meanwhile. */
static void delay(struct master *m)
{
	double until = master_now() + m->runtime.config->drain_delay;
	bool order = false;

	m->stopping = true;
	atomic_store(&counters_gateway(m->runtime.counters)->stopping, 1);
	notify_send("STOPPING=1\nSTATUS=Stopping");
	log_info("stopping");
	while (master_now() < until && turn(m, until, &order))
		;
	if (order)
		log_info("stopping: at once, as told a second time");
}

/* A connection is a descriptor, and the master has a socket for each worker and listener: the soft
 * limit is often 1024. The others inherit it. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warning("cannot raise the limit of descriptors: %s", strerror(errno));
}

static void block_signals(struct master *m)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD};

	sigemptyset(&m->signals);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaddset(&m->signals, signals[i]);
	sigprocmask(SIG_BLOCK, &m->signals, NULL);
}

static void set_up(struct master *m)
{
	struct counters_gateway *gateway = counters_gateway(m->runtime.counters);
	const struct config *config = m->runtime.config;

	atomic_store(&gateway->workers, config->workers);
	atomic_store(&gateway->started, (uint64_t)time(NULL));
	atomic_store(&gateway->reloaded, (uint64_t)time(NULL));
	m->rotate_at = master_now() + TLS_TICKETS_SECONDS;
	m->watchdog = notify_watchdog();
	m->children = mem_new((1 + COUNTERS_WORKERS) * sizeof *m->children);
	supervise_set_children(m, config->workers);
	log_info("gatepost %s: %u workers, %zu listeners", GATEPOST_VERSION, config->workers,
		 config->listeners_len);
}

static void serve(struct master *m)
{
	bool order = false;

	while (turn(m, INFINITY, &order))
		;
	if (order)
		delay(m);
	/* The master's own copies would keep taking clients that nobody serves any more. */
	sockets_close(&m->runtime.sockets);
	supervise_stop(m);
	free(m->children);
}

int master_serve(const char *file, struct config *config)
{
	struct master m = {.file = file, .code = EX_OK};
	char error[CONFIG_BLAME_SIZE];

	log_setup(config->log.level, config->log.json, "master");
	log_share();
	raise_descriptor_limit();
	block_signals(&m);
	list_init(&m.leavers);
	if (!master_log_open(config, error, sizeof error)) {
		log_error("%s", error);
		config_free(&config);
		return EX_CANTCREAT;
	}
	if (!runtime_open(&m.runtime, config, error, sizeof error)) {
		master_log_close();
		log_error("%s", error);
		return EX_CANTCREAT;
	}
	master_log_use(&m);
	set_up(&m);
	serve(&m);
	runtime_close(&m.runtime, true);
	return m.code;
}
