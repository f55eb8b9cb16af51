/* events: how many events a second go from a worker to subscribers, and what each stage costs.
 *
 *      events [EVENTS [SUBSCRIBERS [STUCK]]]
 *
 *      producer (event_bus) --hub.sock--> hub (event_hub) --events.sock--> subscriber...
 *
 * All are processes of their own, as in the gateway. The producer publishes as a worker does: a few
 * events a turn of its loop, of the kinds that a message has. A stuck subscriber never reads.
 * Prints one JSON object: events a second until the last subscriber has the last one, microseconds
 * of processor an event of each stage, and events lost. */
#include <ev.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "events/event_bus.h"
#include "events/event_hub.h"
#include "net/listener.h"
#include "shared/counters.h"

#define RING	    (64u << 20) /* the default */
#define BUS	    (4u << 20)	/* as in a worker */
#define TURN	    32		/* events: a few sessions have something to tell */
#define BURST	    8192	/* events until all are with the kernel: far below BUS */
#define STUCK_MAX   100
#define READERS_MAX 100

static char hub_path[64], events_path[64];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double processor(const struct rusage *usage)
{
	return seconds(usage->ru_utime) + seconds(usage->ru_stime);
}

/* --- hub --- */

static int bind_unix(const char *path)
{
	struct address address;
	char text[80], error[256];
	int fd;

	snprintf(text, sizeof text, "unix:%s", path);
	if (!address_parse(text, &address))
		exit(1);
	fd = listener_bind(&address, false, error, sizeof error);
	if (fd < 0) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	return fd;
}

static void on_term(struct ev_loop *loop, ev_signal *watcher, int events)
{
	(void)watcher, (void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void run_hub(int worker_fd, int subscriber_fd)
{
	const struct handshake_gateway gateway = {
		.name = "bench", .epoch = "01BENCH0000000000000", .software = "gatepost/bench"};
	struct ev_loop *loop = ev_default_loop(0);
	ev_signal term;

	prctl(PR_SET_NAME, "bench hub");
	ev_signal_init(&term, on_term, SIGTERM);
	ev_signal_start(loop, &term);
	event_hub_new(loop, worker_fd, subscriber_fd, RING, STUCK_MAX + READERS_MAX, &gateway);
	ev_run(loop, 0);
	_exit(0);
}

/* --- subscriber --- */

static int subscribe(void)
{
	static const char line[] = "{\"type\":\"subscribe\",\"version\":1,\"name\":\"bench\"}\n";
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(name.sun_path, sizeof name.sun_path, "%s", events_path);
	if (connect(fd, (struct sockaddr *)&name, sizeof name))
		fail("connect");
	if (write(fd, line, sizeof line - 1) != sizeof line - 1)
		fail("write");
	return fd;
}

/* The number after `key` in a line; 0 when it is not there. */
static uint64_t number(const char *line, const char *key)
{
	const char *found = strstr(line, key);

	return found ? strtoull(found + strlen(key), NULL, 10) : 0;
}

/* Reads until the event `last` has come; returns how many were lost. Each line's seq is looked at:
 * what else a subscriber does with it is its own affair. */
static uint64_t read_all(int fd, uint64_t last)
{
	static char buffer[1 << 18];
	uint64_t seq = 0, lost = 0;
	size_t len = 0;

	while (seq < last) {
		ssize_t n = read(fd, buffer + len, sizeof buffer - 1 - len);
		char *line = buffer, *end;

		if (n <= 0)
			fail("the hub has closed");
		len += (size_t)n;
		while ((end = memchr(line, '\n', len - (size_t)(line - buffer)))) {
			*end = '\0';
			if (strncmp(line, "{\"type\":\"event\",\"seq\":", 22) == 0) {
				seq = strtoull(line + 22, NULL, 10);
			} else if (strncmp(line, "{\"type\":\"gap\"", 13) == 0) {
				lost += number(line, "\"lost\":");
				seq = number(line, "\"to\":");
			}
			line = end + 1;
		}
		len -= (size_t)(line - buffer);
		memmove(buffer, line, len);
	}
	return lost;
}

/* Tells the parent by a line on `out` when it is there, and by another one what it has lost. */
static void run_subscriber(int out, uint64_t last)
{
	int fd = subscribe();
	uint64_t lost;
	char text[32];

	prctl(PR_SET_NAME, "bench reader");
	usleep(100000); /* for the hub to take the subscription */
	if (write(out, "+", 1) != 1)
		fail("write");
	lost = read_all(fd, last);
	snprintf(text, sizeof text, "%" PRIu64 " ", lost);
	if (write(out, text, strlen(text)) < 0)
		fail("write");
	_exit(0);
}

/* --- producer --- */

/* What a RCPT has: its command, the answer of a service, the event of its own; now and then the end
 * of a message. */
static void publish(struct event_bus *bus, uint64_t i)
{
	static const char session[] = "01K2F7Q8ZB4M9XW3T6RY",
			  transaction[] = "01K2F7Q9A0C5N8PVD2HJ",
			  line[] = "RCPT TO:<bob@example.org> NOTIFY=SUCCESS,FAILURE";
	static const enum event_kind kinds[] = {EVENT_POLICY_DECISION, EVENT_COMMAND, EVENT_RCPT,
						EVENT_MESSAGE};
	struct event e;

	event_init(&e, kinds[i % 4], session, transaction);
	switch (e.kind) {
	case EVENT_POLICY_DECISION:
		event_add_text(&e, "policy", "greylist");
		event_add_text(&e, "hook", "rcpt");
		event_add_text(&e, "verdict", "accept");
		event_add_real(&e, "ms", 0.731);
		break;
	case EVENT_COMMAND:
		event_add_octets(&e, "line", (struct octets){line, sizeof line - 1});
		event_add_integer(&e, "code", 250);
		event_add_text(&e, "status", "2.1.5");
		event_add_text(&e, "text", "Recipient OK");
		break;
	case EVENT_MESSAGE:
		event_add_integer(&e, "size", 12345);
		event_add_integer(&e, "code", 250);
		event_add_text(&e, "status", "2.0.0");
		event_add_text(&e, "text", "OK id=01K2F7Q9A0C5N8PVD2HJ");
		break;
	default:
		event_add_octets(&e, "address", (struct octets){line + 9, 15});
		event_add_integer(&e, "code", 250);
		event_add_text(&e, "status", "2.1.5");
		break;
	}
	event_bus_publish(bus, &e);
}

static uint64_t produce(uint64_t events)
{
	struct ev_loop *loop = ev_default_loop(0);
	static struct counters_slot slot;
	struct event_bus *bus = event_bus_new(loop, hub_path, BUS, &slot);

	prctl(PR_SET_NAME, "bench worker");
	for (uint64_t i = 0; i < events;) {
		for (int n = 0; n < TURN && i < events; n++)
			publish(bus, i++);
		ev_run(loop, EVRUN_NOWAIT);
		while (i % BURST == 0 && !event_bus_is_empty(bus))
			ev_run(loop, EVRUN_ONCE);
	}
	while (!event_bus_is_empty(bus))
		ev_run(loop, EVRUN_ONCE);
	event_bus_free(&bus);
	return counter_get(&slot.events_lost);
}

/* --- the whole --- */

static pid_t start_hub(void)
{
	int worker_fd = bind_unix(hub_path), subscriber_fd = bind_unix(events_path);
	pid_t hub = fork();

	if (hub == 0)
		run_hub(worker_fd, subscriber_fd);
	close(worker_fd);
	close(subscriber_fd);
	return hub;
}

static int start_readers(unsigned readers, uint64_t events)
{
	char ready;
	int pipes[2];

	if (pipe(pipes))
		fail("pipe");
	for (unsigned i = 0; i < readers; i++) {
		if (fork() == 0)
			run_subscriber(pipes[1], events);
		if (read(pipes[0], &ready, 1) != 1)
			fail("a subscriber has not begun");
	}
	close(pipes[1]);
	return pipes[0];
}

/* Waits for all of them; returns their losses. */
static uint64_t end_readers(int in, unsigned readers, struct rusage *usage)
{
	char text[READERS_MAX * 24], *at = text;
	uint64_t lost = 0;
	size_t len = 0;
	ssize_t n;

	while ((n = read(in, text + len, sizeof text - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	for (unsigned i = 0; i < readers; i++) {
		lost += strtoull(at, &at, 10);
		wait(NULL);
	}
	getrusage(RUSAGE_CHILDREN, usage);
	return lost;
}

int main(int argc, char **argv)
{
	uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, lost;
	unsigned readers = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
	unsigned stuck = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
	char folder[] = "/tmp/gatepost-bench-XXXXXX";
	struct rusage self, read, all;
	double began, took;
	pid_t hub;
	int in;

	if (!events || !readers || readers > READERS_MAX || stuck > STUCK_MAX || !mkdtemp(folder)) {
		fprintf(stderr, "usage: events [EVENTS [SUBSCRIBERS [STUCK]]]\n");
		return 64;
	}
	snprintf(hub_path, sizeof hub_path, "%s/hub.sock", folder);
	snprintf(events_path, sizeof events_path, "%s/events.sock", folder);
	signal(SIGPIPE, SIG_IGN);
	hub = start_hub();
	for (unsigned i = 0; i < stuck; i++)
		subscribe(); /* left open */
	in = start_readers(readers, events);
	began = now();
	lost = produce(events);
	lost += end_readers(in, readers, &read);
	took = now() - began;
	kill(hub, SIGTERM);
	waitpid(hub, NULL, 0);
	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &all);
	printf("{\"events\":%" PRIu64 ",\"subscribers\":%u,\"stuck\":%u,\"seconds\":%.3f,"
	       "\"events_per_second\":%.0f,\"lost\":%" PRIu64 ",\"processor_us_per_event\":"
	       "{\"worker\":%.3f,\"hub\":%.3f,\"subscriber\":%.3f}}\n",
	       events, readers, stuck, took, (double)events / took, lost,
	       processor(&self) / (double)events * 1e6,
	       (processor(&all) - processor(&read)) / (double)events * 1e6,
	       processor(&read) / (double)events / readers * 1e6);
	unlink(hub_path);
	unlink(events_path);
	rmdir(folder);
	return 0;
}
