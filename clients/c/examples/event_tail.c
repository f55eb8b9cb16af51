/* An event subscriber: prints what happens, one line each, and goes on after a break.
 *
 *      event_tail SOCKET [EVENT...]
 *
 * Ends with 1 when the gateway refuses the subscription. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gatepost/events.h>

static void print(void *arg, const char *message)
{
	(void)arg;
	fprintf(stderr, "event_tail: %s\n", message);
}

static int dial(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void show_all(struct gatepost_events *events)
{
	const struct gatepost_item *item;

	while ((item = gatepost_events_next(events))) {
		if (item->is_gap)
			printf("GAP %s %" PRIu64 " lost\n", item->why, item->lost);
		else
			printf("%s %s %s %s\n", item->time, item->name,
			       item->session ? item->session : "-", gatepost_events_data(events));
	}
	fflush(stdout);
}

/* False after a silence that no living gateway keeps. */
static bool wait_for_input(int fd)
{
	struct pollfd input = {.fd = fd, .events = POLLIN};

	return poll(&input, 1, GATEPOST_EVENTS_SILENCE_MS) != 0;
}

/* Until the connection ends. */
static void follow(struct gatepost_events *events, int fd)
{
	const char *out;
	char in[65536];
	size_t len;
	ssize_t n;

	while (wait_for_input(fd) &&
	       ((n = read(fd, in, sizeof in)) > 0 || (n < 0 && errno == EINTR))) {
		if (n > 0 && !gatepost_events_feed(events, in, (size_t)n))
			break;
		/* The one line that a subscriber sends fits in any socket's buffer. */
		len = gatepost_events_out(events, &out);
		if (len && send(fd, out, len, MSG_NOSIGNAL) != (ssize_t)len)
			break;
		gatepost_events_sent(events, len);
		show_all(events);
	}
	show_all(events);
}

int main(int argc, char **argv)
{
	struct gatepost_events_options options = {.name = "event_tail", .oldest = true};
	struct gatepost_events *events;
	struct gatepost_error error;
	int fd;

	if (argc < 2) {
		fprintf(stderr, "usage: event_tail SOCKET [EVENT...]\n");
		return 64;
	}
	options.log = print;
	if (argc > 2)
		options.events = (const char *const *)(argv + 2);
	events = gatepost_events_new(&options, &error);
	if (!events) {
		print(NULL, error.message);
		return 1;
	}
	while (!gatepost_events_is_refused(events)) {
		gatepost_events_open(events);
		fd = dial(argv[1]);
		if (fd >= 0) {
			follow(events, fd);
			close(fd);
		}
		if (!gatepost_events_is_refused(events))
			poll(NULL, 0, 500);
	}
	gatepost_events_free(&events);
	return 1;
}
