#include "events_command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "command_io.h"
#include "events_arguments.h"
#include "protocol/event_json.h"
#include "protocol/handshake.h"
#include "protocol/jsonl.h"

/* What the gateway may take for its first message. Without it, one that hangs would look like one
 * where nothing happens. */
#define ANSWER_TIMEOUT_MS 10000

/* Then it is never silent for longer than between two heartbeats. */
#define SILENCE_TIMEOUT_MS 15000

struct tail {
	const struct events_arguments *arguments;
	int fd;
	bool answered;
	bool human, coloured;
	struct jsonl in;
	struct json_out out;
};

/* --- errors --- */

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
	return command_complain(tail->arguments->program, code, "cannot connect to %s: %s; %s",
				tail->arguments->socket, strerror(error), advice);
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

static int write_out(struct tail *tail)
{
	int code = command_write(tail->arguments->program, tail->out.data, tail->out.len);

	json_out_clear(&tail->out);
	return code;
}

/* --- input --- */

static int on_error(const struct tail *tail, const struct event_line *line)
{
	bool ours = strcmp(line->code, "unknown_event") == 0;
	bool forbidden = strcmp(line->code, "not_allowed") == 0;
	int code = ours ? EX_USAGE : forbidden ? EX_NOPERM : EX_UNAVAILABLE;

	return command_complain(tail->arguments->program, code, "%s%s",
				ours ? "" : "the gateway refuses: ", line->message);
}

static int on_line(struct tail *tail, const char *text, size_t len)
{
	struct event_line line;
	int code = COMMAND_GO_ON;

	if (!event_json_read(text, len, &line))
		return command_complain(tail->arguments->program, EX_PROTOCOL,
					"%s does not speak the event protocol",
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
	int code = COMMAND_GO_ON;
	int written;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return COMMAND_GO_ON;
	if (n <= 0)
		return command_complain(tail->arguments->program, EX_UNAVAILABLE,
					"the gateway has closed the stream; is it still "
					"running?");
	if (!jsonl_feed(&tail->in, piece, (size_t)n))
		code = command_complain(tail->arguments->program, EX_PROTOCOL,
					"a line from the gateway is too long");
	while (code == COMMAND_GO_ON && jsonl_next(&tail->in, &line, &len))
		code = on_line(tail, line, len);
	written = write_out(tail);
	return code != COMMAND_GO_ON ? code : written;
}

/* Waits for the gateway, for a signal, or for the end of our reader. */
static int wait_for_input(const struct tail *tail)
{
	struct pollfd fds[] = {{.fd = tail->fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	int n = command_wait(fds, 2, tail->answered ? SILENCE_TIMEOUT_MS : ANSWER_TIMEOUT_MS);

	if (command_is_stopped() || (n > 0 && fds[1].revents & (POLLERR | POLLHUP)))
		return EX_OK;
	if (n == 0)
		return command_complain(tail->arguments->program, EX_UNAVAILABLE,
					"the gateway %s at %s",
					tail->answered ? "has fallen silent" : "does not answer",
					tail->arguments->socket);
	return COMMAND_GO_ON;
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
	return COMMAND_GO_ON;
}

static int run(struct tail *tail)
{
	int code;

	tail->fd = command_dial(tail->arguments->socket);
	if (tail->fd < 0)
		return command_is_stopped() ? EX_OK : complain_of_connection(tail, errno);
	code = subscribe(tail);
	while (code == COMMAND_GO_ON) {
		code = wait_for_input(tail);
		if (code == COMMAND_GO_ON)
			code = on_input(tail);
	}
	return code;
}

int events_command(int argc, char **argv)
{
	struct events_arguments arguments;
	struct tail tail = {.arguments = &arguments, .fd = -1};
	int code;

	events_arguments_read(&arguments, argc, argv);
	command_catch_signals();
	tail.human = !arguments.raw && isatty(STDOUT_FILENO);
	tail.coloured = tail.human && command_has_colour();
	jsonl_init(&tail.in, JSONL_LINE_MAX);
	code = run(&tail);
	if (tail.fd >= 0)
		close(tail.fd);
	jsonl_fini(&tail.in);
	json_out_fini(&tail.out);
	events_arguments_fini(&arguments);
	return code;
}
