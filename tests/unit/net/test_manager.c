/* What comes from a service manager and goes to it: passed sockets, the notification socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/notify.h"
#include "net/passed.h"

/* As a child, whose descriptors from 3 on and environment are its own. */
static void in_child(void (*test)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		test();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void pass(const char *names, int n)
{
	char text[32];

	for (int i = 0; i < n; i++)
		dup2(STDIN_FILENO, 3 + i);
	snprintf(text, sizeof text, "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof text, "%d", n);
	setenv("LISTEN_FDS", text, 1);
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
	passed_read();
}

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "line %d: %s\n", __LINE__, #what);                         \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void names(void)
{
	char text[64];

	MUST(!passed_is_known());
	pass("smtp:web:smtp:", 5);
	MUST(passed_is_known());
	MUST(passed_socket("smtp", 0) == 3 && passed_socket("smtp", 1) == 5);
	MUST(passed_socket("smtp", 2) == -1 && passed_socket("web", 0) == 4);
	/* The names have run out. */
	MUST(passed_socket("unknown", 0) == 6 && passed_socket("unknown", 1) == 7);
	MUST(passed_socket("other", 0) == -1 && passed_socket("", 0) == -1);
	MUST(strcmp(passed_names(text, sizeof text), "smtp, web, unknown") == 0);
	MUST(strcmp(passed_names(text, 8), "smtp, w") == 0);
	MUST(!getenv("LISTEN_FDS") && !getenv("LISTEN_PID") && !getenv("LISTEN_FDNAMES"));
	passed_close();
	MUST(passed_socket("smtp", 0) == -1 && dup(3) == -1);
}

static void no_names(void)
{
	pass(NULL, 2);
	MUST(passed_socket("unknown", 0) == 3 && passed_socket("unknown", 1) == 4);
}

static void for_another(void)
{
	char text[64];

	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	passed_read();
	MUST(passed_socket("unknown", 0) == -1);
	MUST(strcmp(passed_names(text, sizeof text), "none") == 0);
}

static void test_passed(void **state)
{
	(void)state;
	in_child(names);
	in_child(no_names);
	in_child(for_another);
}

/* A name with or without a file. */
static void notify(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char got[64];

	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (const struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	notify_send("READY=1\nSTATUS=x");
	assert_int_equal(recv(fd, got, sizeof got, 0), 16);
	assert_memory_equal(got, "READY=1\nSTATUS=x", 16);
	close(fd);
	if (name[0] == '/')
		unlink(name);
	notify_send("READY=1"); /* nobody is there any more: nothing happens */
}

static void test_notify(void **state)
{
	char name[64], long_name[200];

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1");
	snprintf(name, sizeof name, "/tmp/gatepost-notify.%d", (int)getpid());
	notify(name);
	snprintf(name, sizeof name, "@gatepost-notify.%d", (int)getpid());
	notify(name);
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[0] = '/';
	long_name[sizeof long_name - 1] = '\0';
	for (size_t i = 0; i < 4; i++) {
		setenv("NOTIFY_SOCKET", ((const char *[]){long_name, "", "/", "relative"})[i], 1);
		notify_send("READY=1");
	}
	unsetenv("NOTIFY_SOCKET");
}

static void test_watchdog(void **state)
{
	char pid[32];

	(void)state;
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	assert_true(notify_watchdog() <= 0);
	setenv("WATCHDOG_USEC", "500000", 1);
	assert_true(notify_watchdog() > 0.49 && notify_watchdog() < 0.51);
	setenv("WATCHDOG_PID", "1", 1);
	assert_true(notify_watchdog() <= 0);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_true(notify_watchdog() > 0);
	setenv("WATCHDOG_USEC", "soon", 1);
	assert_true(notify_watchdog() <= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passed),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
