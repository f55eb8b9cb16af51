/* A policy service that thinks for a while about each sender, with a loop of its own: others are
 * answered meanwhile. In place of the timer there could be the socket of a database.
 *
 *      slow SOCKET MILLISECONDS */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <gatepost/serve.h>

#define WAITING_MAX 256

static struct waiting {
	struct gatepost_request *request; /* NULL: a free place */
	int timer;
} waiting[WAITING_MAX];
static volatile sig_atomic_t stopping;
static long milliseconds;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static struct gatepost_verdict decide(struct gatepost_request *request, void *arg)
{
	const struct itimerspec when = {.it_value = {.tv_sec = milliseconds / 1000,
						     .tv_nsec = milliseconds % 1000 * 1000000}};

	(void)arg;
	if (gatepost_request_hook(request) != GATEPOST_HOOK_MAIL)
		return gatepost_accept();
	for (struct waiting *w = waiting; w < waiting + WAITING_MAX; w++) {
		if (w->request)
			continue;
		w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		if (w->timer < 0 || timerfd_settime(w->timer, 0, &when, NULL))
			break;
		w->request = request;
		return gatepost_later();
	}
	return gatepost_fault();
}

/* Waits for the server and all timers, and gives the decisions that are due. */
static void turn(struct gatepost_server *server)
{
	const struct gatepost_verdict verdict = gatepost_accept();
	struct pollfd fds[1 + WAITING_MAX] = {{.fd = gatepost_server_fd(server), .events = POLLIN}};

	for (size_t i = 0; i < WAITING_MAX; i++)
		fds[1 + i] = (struct pollfd){.fd = waiting[i].request ? waiting[i].timer : -1,
					     .events = POLLIN};
	if (poll(fds, 1 + WAITING_MAX, 100) < 0)
		return;
	for (size_t i = 0; i < WAITING_MAX; i++) {
		if (!fds[1 + i].revents)
			continue;
		close(waiting[i].timer);
		gatepost_server_reply(server, &waiting[i].request, &verdict);
	}
}

static void print(void *arg, const char *message)
{
	(void)arg;
	fprintf(stderr, "slow: %s\n", message);
}

int main(int argc, char **argv)
{
	const struct gatepost_policy_options options = {.service = "slow",
							.hooks = 1u << GATEPOST_HOOK_EHLO |
								 1u << GATEPOST_HOOK_MAIL,
							.log = print};
	struct gatepost_server *server;
	struct gatepost_error error;

	if (argc != 3 || (milliseconds = atol(argv[2])) < 1) {
		fprintf(stderr, "usage: slow SOCKET MILLISECONDS\n");
		return 64;
	}
	signal(SIGTERM, on_signal);
	server = gatepost_server_new(argv[1], &options, decide, NULL, &error);
	if (!server) {
		print(NULL, error.message);
		return 1;
	}
	do {
		if (stopping)
			gatepost_server_drain(server);
		turn(server);
	} while (gatepost_server_step(server, 0));
	for (size_t i = 0; i < WAITING_MAX; i++)
		if (waiting[i].request) {
			close(waiting[i].timer);
			gatepost_request_free(&waiting[i].request);
		}
	gatepost_server_free(&server);
	return 0;
}
