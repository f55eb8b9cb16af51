#include "status_watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "command_io.h"
#include "protocol/control_json.h"
#include "protocol/jsonl.h"
#include "status_text.h"

#define ANSWER_TIMEOUT_MS 10000
#define PERIOD_MS	  1000
#define OUT_MAX		  8388608

struct asker {
	const struct status_watch *settings;
	int fd; /* -1: not connected */
	struct jsonl in;
	struct status *before; /* the last answer */
	struct buf out;
	bool terminal, coloured, keys;
	bool answered; /* once: from now on a gateway that goes is waited for */
	bool away;     /* and has been told so */
	struct termios terminal_before;
};

/* --- errors --- */

static int complain_of_connection(const struct asker *a, int error)
{
	if (error == EACCES || error == EPERM)
		return command_complain(
			a->settings->program, EX_NOPERM,
			"may not connect to %s: become root or a member of the socket's group",
			a->settings->path);
	if (error == ENOENT || error == ECONNREFUSED)
		return command_complain(
			a->settings->program, EX_UNAVAILABLE,
			"no gateway runs at %s: start it, or name its socket with --socket or "
			"its configuration with -c",
			a->settings->path);
	return command_complain(a->settings->program, EX_UNAVAILABLE,
				"cannot connect to %s: %s; %s", a->settings->path, strerror(error),
				error == ENAMETOOLONG
					? "the path of a socket has at most 107 octets"
					: "is that the gateway's control.sock?");
}

/* --- output --- */

static int write_out(struct asker *a)
{
	int code = command_write(a->settings->program, buf_head(&a->out), a->out.len);

	buf_consume(&a->out, a->out.len);
	return code;
}

static int show(struct asker *a, const struct status *now)
{
	struct status_screen screen = {.coloured = a->coloured, .end = "\n"};
	bool draws = a->terminal && a->settings->watch;
	struct winsize size;

	if (draws) {
		if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
			screen.columns = size.ws_col;
			screen.rows = size.ws_row > 1 ? size.ws_row - 1u : 0;
		}
		screen.end = "\033[K\n";
		buf_append_string(&a->out, "\033[H");
	}
	status_text_write(&a->out, now, a->before, &screen);
	if (draws)
		buf_append_string(&a->out, "\033[J");
	else if (a->settings->watch)
		buf_append_string(&a->out, "\n");
	return write_out(a);
}

/* A gateway that was there and is gone. */
static int show_away(struct asker *a, const char *why)
{
	if (a->terminal && !a->settings->json) {
		buf_printf(&a->out, "\033[HNo answer from %s: %s; trying again\033[K",
			   a->settings->path, why);
		return write_out(a);
	}
	if (!a->away)
		command_complain(a->settings->program, 0, "no answer from %s: %s; trying again",
				 a->settings->path, why);
	a->away = true;
	return COMMAND_GO_ON;
}

static void open_terminal(struct asker *a)
{
	struct termios keys;

	a->keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &a->terminal_before) == 0;
	if (a->keys) {
		keys = a->terminal_before;
		keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &keys);
	}
	buf_append_string(&a->out, "\033[?25l\033[H\033[2J"); /* no cursor, empty screen */
}

static void close_terminal(struct asker *a)
{
	if (a->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &a->terminal_before);
	buf_append_string(&a->out, "\033[?25h\n");
	write_out(a);
}

/* --- waiting --- */

static long now_ms(void)
{
	return (long)(clock_us() / 1000);
}

/* Whether q was typed. */
static bool read_key(struct asker *a)
{
	char key;
	ssize_t n = read(STDIN_FILENO, &key, 1);

	if (n == 0)
		a->keys = false;
	return n == 1 && (key == 'q' || key == 'Q');
}

/* Until the gateway has said something or `until` has come: COMMAND_GO_ON; EX_OK: the end. */
static int wait_for(struct asker *a, long until, bool *readable)
{
	struct pollfd fds[] = {{.fd = a->fd, .events = POLLIN},
			       {.fd = STDOUT_FILENO},
			       {.fd = a->keys ? STDIN_FILENO : -1, .events = POLLIN}};
	int n = command_wait(fds, 3, until - now_ms());

	*readable = n > 0 && fds[0].revents;
	if (command_is_stopped() || (n > 0 && fds[1].revents & (POLLERR | POLLHUP)) ||
	    (n > 0 && fds[2].revents && read_key(a)))
		return EX_OK;
	return COMMAND_GO_ON;
}

/* --- the gateway --- */

static void hang_up(struct asker *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	jsonl_fini(&a->in);
	jsonl_init(&a->in, JSONL_LINE_MAX);
}

static int on_answer(struct asker *a, const char *line, size_t len)
{
	enum status_result result;
	struct status *now;
	char problem[256];
	int code;

	result = status_read(line, len, &now, problem, sizeof problem);
	if (result == STATUS_REFUSED)
		return command_complain(a->settings->program, EX_UNAVAILABLE,
					"the gateway refuses: %s", problem);
	if (result == STATUS_FOREIGN)
		return command_complain(a->settings->program, EX_PROTOCOL,
					"%s is no control socket of gatepost: %s",
					a->settings->path, problem);
	a->answered = true;
	a->away = false;
	if (a->settings->json) {
		buf_append(&a->out, line, len);
		buf_append_string(&a->out, "\n");
		code = write_out(a);
	} else {
		code = show(a, now);
	}
	status_free(&a->before);
	a->before = now;
	return code;
}

/* Waits for the answer. The gateway that closes instead: COMMAND_GO_ON, and a->fd is -1. */
static int take_answer(struct asker *a)
{
	long until = now_ms() + ANSWER_TIMEOUT_MS;
	char piece[65536], *line;
	bool readable;
	size_t len;

	for (;;) {
		int code = wait_for(a, until, &readable);
		ssize_t n;

		if (code != COMMAND_GO_ON)
			return code;
		if (!readable && now_ms() >= until)
			return command_complain(a->settings->program, EX_UNAVAILABLE,
						"the gateway does not answer at %s",
						a->settings->path);
		if (!readable)
			continue;
		n = recv(a->fd, piece, sizeof piece, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0) {
			hang_up(a);
			return COMMAND_GO_ON;
		}
		if (!jsonl_feed(&a->in, piece, (size_t)n))
			return command_complain(a->settings->program, EX_PROTOCOL,
						"a line from %s is too long", a->settings->path);
		if (jsonl_next(&a->in, &line, &len))
			return on_answer(a, line, len);
	}
}

static int lost(struct asker *a, const char *why)
{
	hang_up(a);
	if (a->answered && a->settings->watch)
		return show_away(a, why);
	return command_complain(a->settings->program, EX_UNAVAILABLE, "no answer from %s: %s",
				a->settings->path, why);
}

static int ask(struct asker *a)
{
	static const char request[] = CONTROL_STATUS;
	int code, error;

	if (a->fd < 0)
		a->fd = command_dial(a->settings->path);
	if (a->fd < 0) {
		error = errno;
		if (a->answered)
			return lost(a, strerror(error));
		return complain_of_connection(a, error);
	}
	/* A gateway that has refused us already has closed: then its error is there to be read. */
	send(a->fd, request, sizeof request - 1, MSG_NOSIGNAL);
	code = take_answer(a);
	if (code == COMMAND_GO_ON && a->fd < 0)
		return lost(a, "the gateway has closed the connection");
	return code;
}

static int run(struct asker *a)
{
	int code = ask(a);
	long next = now_ms();
	bool readable;

	if (!a->settings->watch)
		return code == COMMAND_GO_ON ? EX_OK : code;
	while (code == COMMAND_GO_ON) {
		next = next + PERIOD_MS > now_ms() ? next + PERIOD_MS : now_ms() + PERIOD_MS;
		do {
			code = wait_for(a, next, &readable);
			/* Nothing was asked, so it is the end; told when it is asked again. */
			if (readable)
				hang_up(a);
		} while (code == COMMAND_GO_ON && now_ms() < next);
		if (code == COMMAND_GO_ON)
			code = ask(a);
	}
	return code;
}

int status_watch_run(const struct status_watch *settings)
{
	struct asker a = {.settings = settings, .fd = -1};
	bool draws;
	int code;

	command_catch_signals();
	a.terminal = isatty(STDOUT_FILENO);
	a.coloured = command_has_colour();
	draws = a.terminal && settings->watch && !settings->json;
	jsonl_init(&a.in, JSONL_LINE_MAX);
	buf_init(&a.out, OUT_MAX);
	if (draws)
		open_terminal(&a);
	code = run(&a);
	if (draws)
		close_terminal(&a);
	hang_up(&a);
	jsonl_fini(&a.in);
	buf_fini(&a.out);
	status_free(&a.before);
	return code;
}
