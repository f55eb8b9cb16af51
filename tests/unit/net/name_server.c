#include "name_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"

#define OPTIONS_MAX 100

static const char *find_program(void)
{
	static const char *const paths[] = {"/usr/sbin/dnsmasq", "/usr/local/sbin/dnsmasq"};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		if (!access(paths[i], X_OK))
			return paths[i];
	}
	return NULL;
}

static int bind_udp(struct sockaddr_in *name)
{
	socklen_t length = sizeof *name;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*name = (struct sockaddr_in){.sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)name, length), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)name, &length), 0);
	return fd;
}

static void run(const char *program, unsigned port, const char *const *records)
{
	const char *options[OPTIONS_MAX] = {"dnsmasq",
					    "--no-daemon",
					    "--conf-file=/dev/null",
					    "--no-resolv",
					    "--no-hosts",
					    "--user=root",
					    "--pid-file=",
					    "--bind-interfaces",
					    "--cache-size=0",
					    "--listen-address=127.0.0.1"};
	char text[32];
	size_t n = 10;
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that dies leaves nothing behind */
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	snprintf(text, sizeof text, "--port=%u", port);
	options[n++] = text;
	while (*records && n < OPTIONS_MAX - 1)
		options[n++] = *records++;
	if (!*records)
		execv(program, (char *const *)(uintptr_t)options);
	_exit(127);
}

/* A question for the root's name servers, until any answer comes. False when the server is gone. */
static bool wait_for_answer(const struct name_server *s, const struct sockaddr_in *name)
{
	static const char question[] = "\0\1\1\0\0\1\0\0\0\0\0\0\0\0\2\0";
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), gone = 0;
	char answer[512];
	bool answered = false;

	assert_int_equal(connect(fd, (const struct sockaddr *)name, sizeof *name), 0);
	for (int tries = 0; tries < 600 && !answered && !gone; tries++) {
		struct pollfd io = {.fd = fd, .events = POLLIN};

		/* Nobody there yet: refused, and that wait is cut short. */
		if (send(fd, question, 17, MSG_NOSIGNAL) != 17 || poll(&io, 1, 50) != 1 ||
		    recv(fd, answer, sizeof answer, MSG_DONTWAIT) <= 0)
			poll(NULL, 0, 10);
		else
			answered = true;
		gone = waitpid(s->pid, NULL, WNOHANG) == s->pid;
	}
	close(fd);
	assert_true(answered || gone);
	return answered && !gone;
}

bool name_server_start(struct name_server *s, const char *const *records)
{
	const char *program = find_program();
	struct sockaddr_in name;

	for (int tries = 0; program && tries < 10; tries++) {
		int fd = bind_udp(&name);

		close(fd);
		s->pid = fork();
		if (!s->pid)
			run(program, ntohs(name.sin_port), records);
		snprintf(s->address, sizeof s->address, "127.0.0.1:%u", ntohs(name.sin_port));
		/* Somebody else may have taken the port meanwhile. */
		if (wait_for_answer(s, &name))
			return true;
	}
	if (program)
		fail_msg("%s does not start", program);
	return false;
}

void name_server_stop(struct name_server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

int name_server_deaf(char address[32])
{
	struct sockaddr_in name;
	int fd = bind_udp(&name);

	snprintf(address, 32, "127.0.0.1:%u", ntohs(name.sin_port));
	return fd;
}
