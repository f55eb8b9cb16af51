#include "events_command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "events_arguments.h"
#include "protocol/event_json.h"
#include "protocol/handshake.h"
#include "protocol/jsonl.h"

/* What the gateway may take for its first message. Without it, one that hangs would look like one
 * where nothing happens. */
#define ANSWER_TIMEOUT 10

/* Then it is never silent for longer than between two heartbeats. */
#define SILENCE_TIMEOUT 15

/* Not an exit code: go on. */
#define GO_ON (-1)

struct tail {
	const struct events_arguments *arguments;
	int fd;
	bool answered;
	bool human, coloured;
	struct jsonl in;
	struct json_out out;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

/* --- errors --- */

__attribute__((format(printf, 3, 4))) static int complain(const struct tail *tail, int code,
							  const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", tail->arguments->program);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

static int complain_of_connection(const struct tail *tail, int error)
{
	const char *advice = "is that the gateway's events.sock?";
	int code = EX_UNAVAILABLE;

	if (error == ENOENT || error == ECONNREFUSED)
		advice = "start the gateway, or name its events.sock with --socket";
	else if (error == ENAMETOOLONG)
		advice = "the path of a socket has at most 107 octets";
	if (error == EACCES || error == EPERM) {
		advice = "become root or a member of the socket's group";
		code = EX_NOPERM;
	}
	return complain(tail, code, "cannot connect to %s: %s; %s", tail->arguments->socket,
			strerror(error), advice);
}

/* --- output --- */

static const char *colour_of(const struct event_line *line)
{
	static const struct {
		const char *prefix, *colour;
	} colours[] = {{"violation", "\033[1;31m"},
		       {"policy.failure", "\033[1;31m"},
		       {"policy.bad_reply", "\033[1;31m"},
		       {"policy.breaker", "\033[1;31m"},
		       {"policy.", "\033[35m"},
		       {"gateway.", "\033[34m"},
		       {"message", "\033[1;32m"},
		       {"", "\033[36m"}};

	if (line->type == EVENT_LINE_GAP)
		return "\033[1;33m";
	for (size_t i = 0;; i++)
		if (strncmp(line->event, colours[i].prefix, strlen(colours[i].prefix)) == 0)
			return colours[i].colour;
}

/* A column of at least `width`, and the space after it. */
static void put_column(struct tail *tail, const char *colour, const char *text, size_t width)
{
	size_t len = strlen(text);

	if (tail->coloured)
		json_out_raw(&tail->out, colour);
	json_out_raw_octets(&tail->out, text, len);
	if (tail->coloured)
		json_out_raw(&tail->out, "\033[0m");
	for (; len < width + 1; len++)
		json_out_raw_octets(&tail->out, " ", 1);
}

/* The texts were made safe for a terminal by event_json_read(). */
static void put_human(struct tail *tail, const struct event_line *line)
{
	static const char dim[] = "\033[2m";
	bool gap = line->type == EVENT_LINE_GAP;

	put_column(tail, dim, gap ? "-" : line->time, sizeof "2026-11-24T11:03:15.482113Z" - 1);
	put_column(tail, colour_of(line), gap ? "gap" : line->event, sizeof "policy.bad_reply" - 1);
	put_column(tail, dim, line->session ? line->session : "-", 20);
	json_out_raw(&tail->out, line->data);
	json_out_raw(&tail->out, "\n");
}

/* GO_ON, or the exit code. Nobody reads any more (`| head`): that is a good end. */
static int write_out(struct tail *tail)
{
	const char *data = tail->out.data;
	size_t left = tail->out.len;

	while (left) {
		ssize_t n = write(STDOUT_FILENO, data, left);

		if (n < 0 && errno == EINTR && !stopped)
			continue;
		if (n < 0)
			return stopped || errno == EPIPE
				       ? EX_OK
				       : complain(tail, EX_IOERR, "cannot write: %s",
						  strerror(errno));
		data += n;
		left -= (size_t)n;
	}
	json_out_clear(&tail->out);
	return GO_ON;
}

/* --- input --- */

static int on_error(const struct tail *tail, const struct event_line *line)
{
	bool ours = strcmp(line->code, "unknown_event") == 0;
	bool forbidden = strcmp(line->code, "not_allowed") == 0;
	int code = ours ? EX_USAGE : forbidden ? EX_NOPERM : EX_UNAVAILABLE;

	return complain(tail, code, "%s%s", ours ? "" : "the gateway refuses: ", line->message);
}

static int on_line(struct tail *tail, const char *text, size_t len)
{
	struct event_line line;
	int code = GO_ON;

	if (!event_json_read(text, len, &line))
		return complain(tail, EX_PROTOCOL, "%s does not speak the event protocol",
				tail->arguments->socket);
	tail->answered = true;
	if (line.type == EVENT_LINE_ERROR) {
		code = on_error(tail, &line);
	} else if (line.type != EVENT_LINE_OTHER && tail->human) {
		put_human(tail, &line);
	} else if (line.type != EVENT_LINE_OTHER || tail->arguments->raw) {
		json_out_raw_octets(&tail->out, text, len);
		json_out_raw(&tail->out, "\n");
	}
	event_line_fini(&line);
	return code;
}

static int on_input(struct tail *tail)
{
	char piece[65536], *line;
	ssize_t n = recv(tail->fd, piece, sizeof piece, MSG_DONTWAIT);
	size_t len;
	int code = GO_ON;
	int written;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return GO_ON;
	if (n <= 0)
		return complain(tail, EX_UNAVAILABLE,
				"the gateway has closed the stream; is it still "
				"running?");
	if (!jsonl_feed(&tail->in, piece, (size_t)n))
		code = complain(tail, EX_PROTOCOL, "a line from the gateway is too long");
	while (code == GO_ON && jsonl_next(&tail->in, &line, &len))
		code = on_line(tail, line, len);
	written = write_out(tail);
	return code != GO_ON ? code : written;
}

/* Waits for the gateway, for a signal, or for the end of our reader. The signals are let in only
 * while waiting, so that none falls between the look at `stopped` and the wait. */
static int wait_for_input(const struct tail *tail)
{
	struct pollfd fds[] = {{.fd = tail->fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	struct timespec limit = {.tv_sec = tail->answered ? SILENCE_TIMEOUT : ANSWER_TIMEOUT};
	sigset_t signals, before;
	int n = 0;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &before);
	if (!stopped)
		n = ppoll(fds, 2, &limit, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (stopped || (n > 0 && fds[1].revents & (POLLERR | POLLHUP)))
		return EX_OK;
	if (n == 0)
		return complain(tail, EX_UNAVAILABLE, "the gateway %s at %s",
				tail->answered ? "has fallen silent" : "does not answer",
				tail->arguments->socket);
	return GO_ON;
}

static bool dial(struct tail *tail)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t len = strlen(tail->arguments->socket);

	errno = ENAMETOOLONG;
	if (len >= sizeof name.sun_path)
		return false;
	memcpy(name.sun_path, tail->arguments->socket, len);
	tail->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return tail->fd >= 0 && connect(tail->fd, (struct sockaddr *)&name, sizeof name) == 0;
}

static int subscribe(struct tail *tail)
{
	const struct events_arguments *arguments = tail->arguments;
	struct json_out line = {0};
	ssize_t n;

	handshake_subscribe(&line, "gatepost events", arguments->patterns, arguments->patterns_len,
			    &arguments->from);
	n = send(tail->fd, line.data, line.len, MSG_NOSIGNAL);
	json_out_fini(&line);
	/* The gateway may have refused us before we spoke: then its error is there to be read. */
	if (n < 0 && errno != EPIPE)
		return complain_of_connection(tail, errno);
	return GO_ON;
}

static int run(struct tail *tail)
{
	int code;

	if (!dial(tail))
		return stopped ? EX_OK : complain_of_connection(tail, errno);
	code = subscribe(tail);
	while (code == GO_ON) {
		code = wait_for_input(tail);
		if (code == GO_ON)
			code = on_input(tail);
	}
	return code;
}

static void catch_signals(void)
{
	/* Once only: a second signal ends us even while standard output blocks. */
	struct sigaction stop = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

int events_command(int argc, char **argv)
{
	struct events_arguments arguments;
	struct tail tail = {.arguments = &arguments, .fd = -1};
	const char *no_colour = getenv("NO_COLOR");
	int code;

	events_arguments_read(&arguments, argc, argv);
	catch_signals();
	tail.human = !arguments.raw && isatty(STDOUT_FILENO);
	tail.coloured = tail.human && !(no_colour && *no_colour);
	jsonl_init(&tail.in, JSONL_LINE_MAX);
	code = run(&tail);
	if (tail.fd >= 0)
		close(tail.fd);
	jsonl_fini(&tail.in);
	json_out_fini(&tail.out);
	events_arguments_fini(&arguments);
	return code;
}
