/* events: how many events a second the hub takes from a worker and gives to one subscriber.
 *
 *   events HUB_SOCKET EVENTS_SOCKET COUNT
 *
 * A child writes COUNT events of a RCPT to hub.sock as a worker would that never rests; the program
 * itself subscribes, and reads until it knows of all of them. Prints: events received a second, how
 * many were received, how many were told to be lost. An event that is neither, it would wait for in
 * vain: that is an error. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "protocol/event.h"
#include "protocol/event_json.h"

#define BUFFER_SIZE   1048576
#define BLOCK_SIZE    65536
#define SILENCE_LIMIT 30000
#define COUNT_MAX     1000000000

struct reader {
	int fd;
	size_t len;
	uint64_t received, lost;
	char data[BUFFER_SIZE];
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noreturn)) static void stop(const char *what)
{
	fprintf(stderr, "events: %s: %s\n", what, strerror(errno));
	exit(EX_UNAVAILABLE);
}

static int dial(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		stop(path);
	return fd;
}

static void write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0)
			stop("write");
		data += n;
		len -= (size_t)n;
	}
}

/* --- the worker --- */

static size_t make_line(char *line, size_t size)
{
	struct json_out body = {0};
	struct event event;
	int len;

	event_init(&event, EVENT_RCPT, "01K2F7Q8ZB4M9XW3T6RY", "01K2F7Q9A0C5N8PVD2HJ");
	event_add_text(&event, "address", "bob@example.com");
	event_add_integer(&event, "code", 250);
	event_add_text(&event, "status", "2.1.5");
	event_json_body(&body, &event, "2026-11-24T11:03:15.487185Z");
	len = snprintf(line, size, "%u %.*s\n", (unsigned)EVENT_RCPT, (int)body.len, body.data);
	json_out_fini(&body);
	if (len < 0 || (size_t)len >= size)
		stop("the event is too long");
	return (size_t)len;
}

static void emit(const char *path, uint64_t count)
{
	static char block[BLOCK_SIZE];
	char line[1024];
	size_t line_len = make_line(line, sizeof line), lines = BLOCK_SIZE / line_len;
	int fd = dial(path);

	for (size_t i = 0; i < lines; i++)
		memcpy(block + i * line_len, line, line_len);
	while (count) {
		size_t n = count < lines ? (size_t)count : lines;

		write_all(fd, block, n * line_len);
		count -= n;
	}
	close(fd);
	_exit(EX_OK);
}

/* --- the subscriber --- */

static void fill(struct reader *r)
{
	struct pollfd ready = {.fd = r->fd, .events = POLLIN};
	ssize_t n;

	if (r->len == sizeof r->data)
		stop("a line is too long");
	if (poll(&ready, 1, SILENCE_LIMIT) != 1) {
		fprintf(stderr, "events: silence after %" PRIu64 " received, %" PRIu64 " lost\n",
			r->received, r->lost);
		exit(EX_UNAVAILABLE);
	}
	n = read(r->fd, r->data + r->len, sizeof r->data - r->len);
	if (n <= 0)
		stop("the hub closed");
	r->len += (size_t)n;
}

static bool begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

static void take(struct reader *r, const char *line)
{
	const char *lost;

	if (begins(line, "{\"type\":\"event\"")) {
		r->received++;
	} else if (begins(line, "{\"type\":\"gap\"")) {
		lost = strstr(line, "\"lost\":");
		if (!lost)
			stop("a gap without a number");
		r->lost += strtoull(lost + strlen("\"lost\":"), NULL, 10);
	} else if (begins(line, "{\"type\":\"error\"")) {
		fprintf(stderr, "events: %s\n", line);
		exit(EX_UNAVAILABLE);
	}
}

/* All whole lines that have come; true when one of them was of this type. */
static bool take_lines(struct reader *r, const char *type)
{
	char *at = r->data, *end;
	bool found = false;

	while ((end = memchr(at, '\n', r->len - (size_t)(at - r->data)))) {
		*end = '\0';
		take(r, at);
		found = found || begins(at, type);
		at = end + 1;
	}
	r->len -= (size_t)(at - r->data);
	memmove(r->data, at, r->len);
	return found;
}

static void subscribe(struct reader *r, const char *path)
{
	static const char line[] =
		"{\"type\":\"subscribe\",\"version\":1,\"name\":\"bench\",\"events\":[\"rcpt\"]}\n";

	r->fd = dial(path);
	do
		fill(r);
	while (!take_lines(r, "{\"type\":\"hello\""));
	write_all(r->fd, line, sizeof line - 1);
	do
		fill(r);
	while (!take_lines(r, "{\"type\":\"subscribed\""));
}

int main(int argc, char **argv)
{
	static struct reader reader;
	uint64_t count = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
	double began;
	pid_t child;

	if (count < 1 || count > COUNT_MAX) {
		fprintf(stderr, "usage: events HUB_SOCKET EVENTS_SOCKET COUNT\n");
		return EX_USAGE;
	}
	subscribe(&reader, argv[2]);
	began = now();
	child = fork();
	if (child < 0)
		stop("fork");
	if (child == 0)
		emit(argv[1], count);
	while (reader.received + reader.lost < count) {
		fill(&reader);
		take_lines(&reader, "");
	}
	printf("%.0f %" PRIu64 " %" PRIu64 "\n", (double)reader.received / (now() - began),
	       reader.received, reader.lost);
	waitpid(child, NULL, 0);
	return EX_OK;
}
