#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "drive/drive_wire.h"

static char folder[] = "/tmp/gatepost-drive-test-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/p.sock", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

/* Serves one connection: says its register, and listens until it is closed. */
static void serve(int listener, const char *line)
{
	int fd = accept(listener, NULL, NULL);
	char piece[4096];

	if (write(fd, line, strlen(line)) < 0)
		_exit(1);
	while (read(fd, piece, sizeof piece) > 0)
		;
	_exit(0);
}

static pid_t start(const char *line)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t child;

	memcpy(name.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(listen(listener, 1), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		serve(listener, line);
	close(listener);
	return child;
}

/* What opening gives, and what the service is shown then. */
static int open_with(const char *body, const char *hook, struct handshake_register *reg)
{
	struct drive_wire wire;
	char line[256];
	int code, status;
	pid_t child;

	snprintf(line, sizeof line,
		 "{\"type\":\"register\",\"version\":1,\"hooks\":{\"%s\":{}},\"body\":%s}\n", hook,
		 body);
	child = start(line);
	drive_wire_init(&wire, "test", path, 60);
	code = drive_wire_open(&wire);
	*reg = wire.reg;
	drive_wire_fini(&wire);
	assert_int_equal(waitpid(child, &status, 0), child);
	unlink(path);
	return code;
}

static void test_descriptors_are_not_chosen(void **state)
{
	struct handshake_register reg;

	(void)state;
	assert_int_equal(open_with("[\"fd\",\"headers\",\"none\"]", "message", &reg), DRIVE_GO_ON);
	assert_int_equal(reg.body_len, 2);
	assert_int_equal(reg.body[0], HOOK_BODY_HEADERS);
	assert_int_equal(reg.body[1], HOOK_BODY_NONE);
}

static void test_descriptors_alone_are_refused_where_there_is_a_message(void **state)
{
	struct handshake_register reg;

	(void)state;
	assert_int_equal(open_with("[\"fd\"]", "message", &reg), EX_UNAVAILABLE);
	assert_int_equal(open_with("[\"fd\"]", "mail", &reg), DRIVE_GO_ON);
	assert_int_equal(reg.body_len, 1);
	assert_int_equal(reg.body[0], HOOK_BODY_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors_are_not_chosen),
		cmocka_unit_test(test_descriptors_alone_are_refused_where_there_is_a_message),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
