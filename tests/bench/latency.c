/* latency: how long single answers take, and how many come in a second.
 *
 *   latency smtp PORT SESSIONS COUNT        RCPT to its reply, one open on each session
 *   latency raw WINDOW COUNT OUT IN         the limit of the socket itself: a line of OUT octets to
 * another process, a line of IN octets back, WINDOW of them open
 *
 * Prints: answers a second, median, 99th percentile, both in microseconds. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_MAX    262144
#define SESSIONS_MAX  1024
#define RECIPIENTS    500 /* of a transaction, then the next one begins */
#define WARM_UP	      200 /* answers of each session that are not measured */
#define SILENCE_LIMIT 30000

struct samples {
	double *seconds;
	size_t len, size;
	double began;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noreturn)) static void stop(const char *what)
{
	fprintf(stderr, "latency: %s: %s\n", what, strerror(errno));
	exit(EX_UNAVAILABLE);
}

static void *allocate(size_t n, size_t size)
{
	void *memory = calloc(n, size);

	if (!memory)
		stop("memory");
	return memory;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_samples(struct samples *s)
{
	double total = now() - s->began;

	qsort(s->seconds, s->len, sizeof *s->seconds, compare);
	printf("%.0f %.1f %.1f\n", (double)s->len / total, s->seconds[s->len / 2] * 1e6,
	       s->seconds[s->len * 99 / 100] * 1e6);
}

static void write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0)
			stop("write");
		data += n;
		len -= (size_t)n;
	}
}

/* --- smtp --- */

struct client {
	int fd;
	unsigned recipients, warm;
	bool measured; /* the command that is open */
	double sent;
	char reply[4096];
	size_t len;
};

static void say(struct client *c, const char *command, bool measured)
{
	c->measured = measured;
	c->sent = now();
	write_all(c->fd, command, strlen(command));
}

static void say_next(struct client *c)
{
	if (c->recipients == 0)
		say(c, "MAIL FROM:<alice@example.org>\r\n", false);
	else if (c->recipients == RECIPIENTS + 1)
		say(c, "RSET\r\n", false);
	else
		say(c, "RCPT TO:<bob@example.com>\r\n", true);
	c->recipients = c->recipients == RECIPIENTS + 1 ? 0 : c->recipients + 1;
}

/* True when the last line of a reply is there. */
static bool read_reply(struct client *c)
{
	ssize_t n = read(c->fd, c->reply + c->len, sizeof c->reply - 1 - c->len);
	char *line;

	if (n <= 0)
		stop("the server closed");
	c->len += (size_t)n;
	c->reply[c->len] = '\0';
	if (c->reply[c->len - 1] != '\n')
		return false;
	line = memrchr(c->reply, '\n', c->len - 1);
	line = line ? line + 1 : c->reply;
	if (line[3] == '-')
		return false;
	if (line[0] != '2') {
		fprintf(stderr, "latency: the server said %s", c->reply);
		exit(EX_UNAVAILABLE);
	}
	c->len = 0;
	return true;
}

static void take(struct client *c, struct samples *samples)
{
	double seconds = now() - c->sent;

	if (c->measured && ++c->warm > WARM_UP && samples->len < samples->size) {
		if (!samples->len)
			samples->began = now();
		samples->seconds[samples->len++] = seconds;
	}
	say_next(c);
}

static void open_client(struct client *c, int epoll, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	int on = 1;

	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address))
		stop("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	while (!read_reply(c))
		;
	say(c, "EHLO client.example.org\r\n", false);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event))
		stop("epoll");
}

static void smtp(int port, size_t sessions, struct samples *samples)
{
	struct client *clients = allocate(sessions, sizeof *clients);
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (size_t i = 0; i < sessions; i++)
		open_client(&clients[i], epoll, port);
	while (samples->len < samples->size) {
		struct epoll_event events[64];
		int n = epoll_wait(epoll, events, 64, SILENCE_LIMIT);

		if (n <= 0)
			stop("no answer");
		for (int i = 0; i < n; i++)
			if (read_reply(events[i].data.ptr))
				take(events[i].data.ptr, samples);
	}
	print_samples(samples);
	for (size_t i = 0; i < sessions; i++)
		close(clients[i].fd);
	close(epoll);
	free(clients);
}

/* --- raw --- */

static size_t count_lines(const char *data, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += data[i] == '\n';
	return n;
}

static void fill_line(char *line, size_t size)
{
	memset(line, 'x', size);
	line[size - 1] = '\n';
}

/* The other process: a line back for each line that comes. */
static void answer(int fd, size_t size)
{
	char *buffer = allocate(1, BUFFER_MAX), *line = allocate(1, size);
	char *out = allocate(size, 512);
	ssize_t n;

	fill_line(line, size);
	while ((n = read(fd, buffer, BUFFER_MAX)) > 0) {
		size_t lines = count_lines(buffer, (size_t)n);

		for (size_t i = 0; i < lines; i++)
			memcpy(out + i % 512 * size, line, size);
		write_all(fd, out, lines * size);
	}
	free(out);
	free(line);
	free(buffer);
	_exit(EX_OK);
}

static void raw(size_t window, size_t out_size, size_t in_size, struct samples *samples)
{
	char *buffer = allocate(1, BUFFER_MAX), *line = allocate(1, out_size);
	double *sent = allocate(window, sizeof *sent);
	size_t asked = 0, answered = 0;
	int pair[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		stop("socketpair");
	child = fork();
	if (child == 0) {
		close(pair[0]);
		answer(pair[1], in_size);
	}
	close(pair[1]);
	fill_line(line, out_size);
	samples->began = now();
	while (answered < samples->size) {
		ssize_t n;
		size_t lines;

		for (; asked < samples->size && asked - answered < window; asked++) {
			sent[asked % window] = now();
			write_all(pair[0], line, out_size);
		}
		n = read(pair[0], buffer, BUFFER_MAX);
		if (n <= 0)
			stop("read");
		lines = count_lines(buffer, (size_t)n);
		for (size_t i = 0; i < lines; i++, answered++)
			samples->seconds[samples->len++] = now() - sent[answered % window];
	}
	print_samples(samples);
	close(pair[0]);
	waitpid(child, NULL, 0);
	free(sent);
	free(line);
	free(buffer);
}

static size_t number(const char *text, size_t max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n < 1 || n > max) {
		fprintf(stderr, "latency: %s is not a number from 1 to %zu\n", text, max);
		exit(EX_USAGE);
	}
	return n;
}

int main(int argc, char **argv)
{
	struct samples samples = {0};
	bool is_smtp = argc == 5 && strcmp(argv[1], "smtp") == 0;

	if (!is_smtp && (argc != 6 || strcmp(argv[1], "raw") != 0)) {
		fprintf(stderr,
			"usage: latency smtp PORT SESSIONS COUNT | raw WINDOW COUNT OUT IN\n");
		return EX_USAGE;
	}
	samples.size = number(argv[is_smtp ? 4 : 3], 100000000);
	samples.seconds = allocate(samples.size, sizeof *samples.seconds);
	if (is_smtp)
		smtp((int)number(argv[2], 65535), number(argv[3], SESSIONS_MAX), &samples);
	else
		/* A window that does not fit into the socket's buffers would stop both sides. */
		raw(number(argv[2], 64), number(argv[4], 1024), number(argv[5], 256), &samples);
	free(samples.seconds);
	return EX_OK;
}
