#include "command_io.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

int command_complain(const char *program, int code, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

void command_catch_signals(void)
{
	/* Once only: a second signal ends us even while standard output blocks. */
	struct sigaction stop = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

bool command_is_stopped(void)
{
	return stopped;
}

bool command_has_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
}

int command_dial(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int fd, error;

	errno = ENAMETOOLONG;
	if (len >= sizeof name.sun_path)
		return -1;
	memcpy(name.sun_path, path, len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int command_wait(struct pollfd *fds, nfds_t n, long limit_ms)
{
	struct timespec limit = {.tv_sec = limit_ms > 0 ? limit_ms / 1000 : 0,
				 .tv_nsec = limit_ms > 0 ? limit_ms % 1000 * 1000000 : 0};
	sigset_t signals, before;
	int ready = -1;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &before);
	if (!stopped)
		ready = ppoll(fds, n, &limit, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ready;
}

int command_write(const char *program, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n < 0 && errno == EINTR && !stopped)
			continue;
		if (n < 0)
			return stopped || errno == EPIPE
				       ? EX_OK
				       : command_complain(program, EX_IOERR, "cannot write: %s",
							  strerror(errno));
		data += n;
		len -= (size_t)n;
	}
	return COMMAND_GO_ON;
}
