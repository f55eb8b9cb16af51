/* load: sends mail to an SMTP server over many sessions at once; smtp-source without its limits.
 *
 *   load PORT SESSIONS MESSAGES OCTETS fresh|reused
 *
 * fresh: a connection for each message. reused: each session sends one message after the other.
 * With "reused" the sessions are opened first; then it prints "ready" and waits for a line on its
 * standard input, so that idle sessions can be measured. It ends with the seconds the messages
 * took. Any reply but a good one ends it with an error. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define ADDRESS_CLIENTS 20000 /* of one source address: there are fewer than 28,000 ports */
#define SPARE_FILES	100
#define SESSIONS_MAX	100000
#define SILENCE_LIMIT	60000
#define LINE_LENGTH	70

/* What the server's next reply is to. */
enum stage { BANNER, EHLO, MAIL, RCPT, DATA, BODY, QUIT, IDLE };

struct session {
	int fd;
	enum stage stage;
	unsigned index;
	const char *out; /* not written yet */
	size_t out_len;
	char reply[1024];
	size_t reply_len;
};

static struct {
	int epoll;
	in_port_t port;
	bool reused, hold;
	size_t messages, begun, done, held;
	char *body;
	size_t body_len;
} load;

__attribute__((noreturn)) static void stop(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(EX_UNAVAILABLE);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void watch(struct session *s, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = s};

	if (epoll_ctl(load.epoll, operation, s->fd, &event) != 0)
		stop("epoll_ctl");
}

static void flush(struct session *s)
{
	while (s->out_len) {
		ssize_t n = send(s->fd, s->out, s->out_len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			watch(s, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			return;
		}
		if (n < 0)
			stop("send");
		s->out += n;
		s->out_len -= (size_t)n;
	}
}

static void say(struct session *s, enum stage stage, const char *data, size_t len)
{
	s->stage = stage;
	s->out = data;
	s->out_len = len;
	flush(s);
}

static void say_line(struct session *s, enum stage stage, const char *line)
{
	say(s, stage, line, strlen(line));
}

static void dial(struct session *s)
{
	struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
	int yes = 1;

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + s->index / ADDRESS_CLIENTS);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(load.port);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		stop("socket");
	setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	if (bind(s->fd, (struct sockaddr *)&from, sizeof from) != 0)
		stop("bind");
	if (connect(s->fd, (struct sockaddr *)&to, sizeof to) != 0)
		stop("connect");
	s->stage = BANNER;
	s->reply_len = 0;
	watch(s, EPOLL_CTL_ADD, EPOLLIN);
}

/* The next message of a session that has one to send. */
static void begin(struct session *s)
{
	if (load.begun == load.messages) {
		say_line(s, QUIT, "QUIT\r\n");
		return;
	}
	load.begun++;
	say_line(s, MAIL, "MAIL FROM:<a@example.org>\r\n");
}

static void go_on(struct session *s)
{
	switch (s->stage) {
	case BANNER:
		say_line(s, EHLO, "EHLO load.example.org\r\n");
		break;
	case EHLO:
		if (load.hold) {
			s->stage = IDLE;
			load.held++;
		} else {
			begin(s);
		}
		break;
	case MAIL:
		say_line(s, RCPT, "RCPT TO:<b@example.com>\r\n");
		break;
	case RCPT:
		say_line(s, DATA, "DATA\r\n");
		break;
	case DATA:
		say(s, BODY, load.body, load.body_len);
		break;
	case BODY:
		load.done++;
		if (load.reused)
			begin(s);
		else
			say_line(s, QUIT, "QUIT\r\n");
		break;
	case QUIT:
		close(s->fd);
		s->fd = -1;
		if (!load.reused && load.begun < load.messages)
			dial(s);
		break;
	case IDLE:
		break;
	}
}

/* True when the last line of a reply is there. */
static bool read_reply(struct session *s)
{
	ssize_t n = recv(s->fd, s->reply + s->reply_len, sizeof s->reply - 1 - s->reply_len,
			 MSG_DONTWAIT);
	char *line;

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0)
		stop("the server closed");
	s->reply_len += (size_t)n;
	s->reply[s->reply_len] = '\0';
	if (s->reply[s->reply_len - 1] != '\n')
		return false;
	line = memrchr(s->reply, '\n', s->reply_len - 1);
	line = line ? line + 1 : s->reply;
	if (line[3] == '-')
		return false;
	if (line[0] != (s->stage == DATA ? '3' : '2')) {
		fprintf(stderr, "load: the server said %s", s->reply);
		exit(EX_UNAVAILABLE);
	}
	s->reply_len = 0;
	return true;
}

static void on_ready(struct session *s, uint32_t events)
{
	if (events & EPOLLOUT) {
		flush(s);
		if (!s->out_len)
			watch(s, EPOLL_CTL_MOD, EPOLLIN);
	}
	if (events & ~(uint32_t)EPOLLOUT && read_reply(s))
		go_on(s);
}

static void turn(void)
{
	struct epoll_event events[256];
	int n = epoll_wait(load.epoll, events, 256, SILENCE_LIMIT);

	if (n <= 0)
		stop("no answer");
	for (int i = 0; i < n; i++)
		on_ready(events[i].data.ptr, events[i].events);
}

static void fill_body(size_t octets)
{
	static const char header[] = "From: a@example.org\r\nTo: b@example.com\r\nSubject: load\r\n"
				     "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
				     "Message-ID: <1@example.org>\r\n\r\n";
	size_t len = sizeof header - 1;

	load.body = malloc(len + octets + sizeof "\r\n.\r\n");
	if (!load.body)
		stop("memory");
	memcpy(load.body, header, len);
	for (size_t i = 0; i < octets; i++) {
		size_t column = i % LINE_LENGTH;

		load.body[len + i] = column == LINE_LENGTH - 2	 ? '\r'
				     : column == LINE_LENGTH - 1 ? '\n'
								 : 'x';
	}
	memcpy(load.body + len + octets, "\r\n.\r\n", 5);
	load.body_len = len + octets + 5;
}

static void wait_for_order(size_t sessions, struct session *all)
{
	while (load.held < sessions)
		turn();
	printf("ready\n");
	fflush(stdout);
	if (getchar() == EOF)
		exit(EX_OK);
	load.hold = false;
	for (size_t i = 0; i < sessions; i++)
		begin(&all[i]);
}

static void run(size_t sessions)
{
	struct session *all = calloc(sessions, sizeof *all);
	double began = now();

	if (!all)
		stop("memory");
	for (size_t i = 0; i < sessions; i++) {
		all[i].index = (unsigned)i;
		dial(&all[i]);
	}
	if (load.hold) {
		wait_for_order(sessions, all);
		began = now();
	}
	while (load.done < load.messages)
		turn();
	printf("%.6f\n", now() - began);
	free(all);
}

static size_t number(const char *text, size_t max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n < 1 || n > max) {
		fprintf(stderr, "load: %s is not a number from 1 to %zu\n", text, max);
		exit(EX_USAGE);
	}
	return n;
}

static void raise_files(size_t sessions)
{
	struct rlimit limit = {sessions + SPARE_FILES, sessions + SPARE_FILES}, now;

	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur >= limit.rlim_cur)
		return;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		stop("so many open files");
}

int main(int argc, char **argv)
{
	size_t sessions;

	if (argc != 6 || (strcmp(argv[5], "fresh") != 0 && strcmp(argv[5], "reused") != 0)) {
		fprintf(stderr, "usage: load PORT SESSIONS MESSAGES OCTETS fresh|reused\n");
		return EX_USAGE;
	}
	load.port = (in_port_t)number(argv[1], 65535);
	sessions = number(argv[2], SESSIONS_MAX);
	load.messages = number(argv[3], 1000000000);
	load.reused = load.hold = strcmp(argv[5], "reused") == 0;
	if (!load.reused && sessions > load.messages)
		sessions = load.messages;
	fill_body(number(argv[4], 1u << 30));
	raise_files(sessions);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load.epoll < 0)
		stop("epoll");
	run(sessions);
	free(load.body);
	return EX_OK;
}
