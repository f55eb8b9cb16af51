#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "expect.h"
#include "link_user.h"

#define COUNT(event) (u.count[LINE_LINK_##event])

static void test_dial(void **state)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct link_user u;
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd, extra;

	(void)state;
	snprintf(name.sun_path, sizeof name.sun_path, "/tmp/gatepost-link-%d", (int)getpid());
	assert_int_equal(bind(listening, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(listen(listening, 0), 0);
	link_user_dial(&u, name.sun_path);
	link_user_send(&u, "hello\n"); /* before UP is fine */
	RUN_UNTIL(u.loop, COUNT(UP) && !line_link_pending(u.link));
	fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	peer_init(&u.peer, u.loop, fd);
	peer_send_string(&u.peer, "ready\n");
	RUN_UNTIL(u.loop, COUNT(LINE) && peer_got(&u.peer, "hello\n"));
	assert_int_equal(COUNT(UP), 1);
	link_user_fini(&u);

	link_user_dial(&u, name.sun_path);
	u.free_on_up = true;
	RUN_UNTIL(u.loop, !u.link);
	link_user_fini(&u);

	/* Nobody accepts: that is a failure, not a wait. */
	extra = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	while (!connect(extra, (struct sockaddr *)&name, sizeof name)) {
		close(extra);
		extra = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	}
	close(extra);
	link_user_dial(&u, name.sun_path);
	RUN_UNTIL(u.loop, COUNT(DOWN));
	assert_string_equal(line_link_failure(u.link),
			    "the peer accepts no more connections for now");
	link_user_fini(&u);
	close(listening);

	link_user_dial(&u, name.sun_path);
	RUN_UNTIL(u.loop, COUNT(DOWN));
	assert_string_equal(line_link_failure(u.link), "Connection refused");
	assert_int_equal(COUNT(UP), 0);
	assert_false(link_user_send(&u, "x\n"));
	assert_true(line_link_peer_uid(u.link) == (uid_t)-1);
	line_link_pause(u.link, true);
	line_link_pause(u.link, false);
	line_link_flush(u.link);
	expect_turns(u.loop, 0.01);
	assert_int_equal(COUNT(DOWN), 1);
	link_user_fini(&u);
	unlink(name.sun_path);
}

static void test_dial_what_is_not_there(void **state)
{
	struct link_user u;
	char path[200];

	(void)state;
	link_user_dial(&u, "/nonexistent/socket");
	RUN_UNTIL(u.loop, COUNT(DOWN));
	assert_string_equal(line_link_failure(u.link), "No such file or directory");
	link_user_fini(&u);
	memset(path, 'p', sizeof path);
	path[199] = '\0';
	link_user_dial(&u, path);
	RUN_UNTIL(u.loop, COUNT(DOWN));
	assert_string_equal(line_link_failure(u.link), "File name too long");
	link_user_fini(&u);
	link_user_dial(&u, "/nonexistent/socket");
	link_user_fini(&u); /* freed before it could say so */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dial),
		cmocka_unit_test(test_dial_what_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
