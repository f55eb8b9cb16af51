#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "expect.h"
#include "link_user.h"

#define COUNT(event) (u.count[LINE_LINK_##event])

static void test_both_ways(void **state)
{
	struct link_user u;

	(void)state;
	link_user_init(&u, 4096);
	u.answer = true;
	assert_true(link_user_send(&u, "hello\n"));
	assert_true(link_user_send(&u, "again\n"));
	assert_int_equal(line_link_pending(u.link), 12);
	assert_int_equal(line_link_room(u.link), 4096 - 12);
	peer_send_string(&u.peer, "one\ntwo\n\nthree");
	RUN_UNTIL(u.loop, peer_got(&u.peer, "hello\nagain\nok\nok\n"));
	assert_int_equal(line_link_pending(u.link), 0);
	assert_string_equal(u.lines, "one|two|");
	peer_send_string(&u.peer, " and a half\n");
	RUN_UNTIL(u.loop, COUNT(LINE) == 3);
	assert_string_equal(u.lines, "one|two|three and a half|");
	assert_int_equal(line_link_peer_uid(u.link), getuid());
	assert_int_equal(COUNT(UP), 0);
	assert_int_equal(COUNT(WRITABLE), 0);
	link_user_fini(&u);
}

static void test_octet_by_octet(void **state)
{
	struct link_user u;
	const char *text = "{\"id\":1}\n{}\n";

	(void)state;
	link_user_init(&u, 4096);
	for (size_t i = 0; i < strlen(text); i++) {
		peer_send(&u.peer, text + i, 1);
		RUN_UNTIL(u.loop, !u.peer.out.len);
	}
	RUN_UNTIL(u.loop, COUNT(LINE) == 2);
	assert_string_equal(u.lines, "{\"id\":1}|{}|");
	link_user_fini(&u);
}

static void test_longest_line(void **state)
{
	struct link_user u;
	size_t room, max = 1048576;
	char *space;

	(void)state;
	link_user_init(&u, 4096);
	space = buf_space(&u.peer.out, 2 * max + 3, &room);
	memset(space, 'x', 2 * max + 2);
	space[max] = '\n';
	memcpy(space + max + 1, "ok\n", 3); /* then one octet too many without an LF */
	buf_added(&u.peer.out, 2 * max + 2 + 3);
	memset(space + max + 4, 'x', max + 1);
	peer_send(&u.peer, "", 0);
	RUN_UNTIL(u.loop, COUNT(DOWN));
	assert_int_equal(COUNT(LINE), 2);
	assert_int_equal(u.longest, max);
	assert_string_equal(u.lines, "ok|");
	assert_string_equal(line_link_failure(u.link), "line longer than 1048576 octets");
	/* The peer can still be told why. */
	assert_true(link_user_send(&u, "line too long\n"));
	line_link_flush(u.link);
	RUN_UNTIL(u.loop, peer_got(&u.peer, "line too long\n"));
	expect_turns(u.loop, 0.01);
	assert_int_equal(COUNT(DOWN), 1);
	link_user_fini(&u);
}

static void test_peer_that_does_not_read(void **state)
{
	struct link_user u;
	char line[1000];
	size_t sent = 0;

	(void)state;
	memset(line, 'e', sizeof line);
	line[sizeof line - 1] = '\n';
	link_user_init(&u, 20000);
	peer_hear(&u.peer, false);
	for (int i = 0; i < 10000; i++) {
		if (!line_link_send(u.link, line, sizeof line))
			break;
		sent++;
		if (line_link_room(u.link) < sizeof line)
			line_link_flush(u.link);
	}
	assert_true(sent > 20 && sent < 10000);
	assert_true(line_link_room(u.link) < sizeof line);
	assert_true(line_link_pending(u.link) > 19000 && line_link_pending(u.link) <= 20000);
	assert_true(expect_turns(u.loop, 0.03) < 10);
	assert_int_equal(COUNT(WRITABLE), 0);
	peer_hear(&u.peer, true);
	RUN_UNTIL(u.loop, COUNT(WRITABLE));
	assert_int_equal(line_link_pending(u.link), 0);
	RUN_UNTIL(u.loop, u.peer.got.len == sent * sizeof line); /* no refused part of a line */
	assert_int_equal(COUNT(WRITABLE), 1);
	/* A line that can never fit. */
	assert_false(line_link_send(u.link, u.peer.got.data, 20001));
	assert_int_equal(line_link_pending(u.link), 0);
	link_user_fini(&u);
}

static void test_writable_after_half_full(void **state)
{
	struct link_user u;

	(void)state;
	link_user_init(&u, 20);
	assert_true(link_user_send(&u, "0123456789\n"));
	RUN_UNTIL(u.loop, COUNT(WRITABLE));
	assert_true(link_user_send(&u, "012345\n"));
	RUN_UNTIL(u.loop, !line_link_pending(u.link));
	expect_turns(u.loop, 0.01);
	assert_int_equal(COUNT(WRITABLE), 1);
	link_user_fini(&u);
}

static void test_pause_keeps_the_rest(void **state)
{
	struct link_user u;

	(void)state;
	link_user_init(&u, 4096);
	u.pause_after = 1;
	peer_send_string(&u.peer, "one\ntwo\nthree\n");
	RUN_UNTIL(u.loop, COUNT(LINE) == 1);
	peer_send_string(&u.peer, "four\n");
	RUN_UNTIL(u.loop, !u.peer.out.len);
	peer_fini(&u.peer);
	assert_true(expect_turns(u.loop, 0.03) < 10);
	assert_string_equal(u.lines, "one|");
	u.pause_after = 3;
	u.inside = true;
	line_link_pause(u.link, false);
	u.inside = false;
	RUN_UNTIL(u.loop, COUNT(LINE) == 3);
	expect_turns(u.loop, 0.01);
	assert_string_equal(u.lines, "one|two|three|");
	assert_int_equal(COUNT(DOWN), 0);
	line_link_pause(u.link, true);
	line_link_pause(u.link, false);
	RUN_UNTIL(u.loop, COUNT(DOWN));
	assert_string_equal(u.lines, "one|two|three|four|");
	link_user_fini(&u);
}

static void test_last_lines_before_down(void **state)
{
	struct link_user u;

	(void)state;
	link_user_init(&u, 4096);
	peer_send_string(&u.peer, "bye\ncut off");
	RUN_UNTIL(u.loop, !u.peer.out.len);
	peer_fini(&u.peer);
	RUN_UNTIL(u.loop, COUNT(DOWN));
	assert_string_equal(u.lines, "bye|");
	assert_string_equal(line_link_failure(u.link), "closed by the peer");
	assert_true(expect_turns(u.loop, 0.03) < 5);
	assert_int_equal(COUNT(DOWN), 1);
	link_user_fini(&u);
}

/* Writing fails first: what the peer said before it went is still heard. */
static void test_last_lines_before_a_write_error(void **state)
{
	struct link_user u;

	(void)state;
	link_user_init(&u, 4096);
	line_link_pause(u.link, true);
	peer_send_string(&u.peer, "bye\n");
	RUN_UNTIL(u.loop, !u.peer.out.len);
	peer_fini(&u.peer);
	assert_true(link_user_send(&u, "are you there?\n"));
	assert_true(expect_turns(u.loop, 0.02) < 5);
	assert_false(link_user_send(&u, "hello?\n"));
	assert_int_equal(line_link_room(u.link), 0);
	line_link_pause(u.link, false);
	RUN_UNTIL(u.loop, COUNT(DOWN));
	assert_string_equal(u.lines, "bye|");
	assert_string_equal(line_link_failure(u.link), "closed by the peer");
	link_user_fini(&u);
}

/* A peer that takes no more but stays: no half-dead link. */
static void test_peer_that_has_shut_its_reading_side(void **state)
{
	struct link_user u;

	(void)state;
	link_user_init(&u, 4096);
	peer_hear(&u.peer, false);
	shutdown(u.peer.io.fd, SHUT_RD);
	peer_send_string(&u.peer, "deaf\n");
	RUN_UNTIL(u.loop, !u.peer.out.len);
	assert_true(link_user_send(&u, "are you there?\n"));
	RUN_UNTIL(u.loop, COUNT(DOWN));
	assert_string_equal(u.lines, "deaf|");
	assert_string_equal(line_link_failure(u.link), "closed by the peer");
	link_user_fini(&u);
}

static void test_free_inside_the_callback(void **state)
{
	struct link_user u;

	(void)state;
	link_user_init(&u, 4096);
	u.free_after = 2;
	peer_send_string(&u.peer, "one\ntwo\nthree\n");
	RUN_UNTIL(u.loop, !u.link);
	expect_turns(u.loop, 0.01);
	assert_string_equal(u.lines, "one|two|");
	link_user_fini(&u);

	link_user_init(&u, 4096);
	u.free_on_down = true;
	peer_fini(&u.peer);
	RUN_UNTIL(u.loop, !u.link);
	link_user_fini(&u);
}

static void test_flush_before_closing(void **state)
{
	struct link_user u;

	(void)state;
	link_user_init(&u, 4096);
	assert_true(link_user_send(&u, "goodbye\n"));
	line_link_flush(u.link);
	line_link_free(&u.link);
	RUN_UNTIL(u.loop, u.peer.eof);
	assert_true(peer_got(&u.peer, "goodbye\n"));
	link_user_fini(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_octet_by_octet),
		cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_peer_that_does_not_read),
		cmocka_unit_test(test_writable_after_half_full),
		cmocka_unit_test(test_pause_keeps_the_rest),
		cmocka_unit_test(test_last_lines_before_down),
		cmocka_unit_test(test_last_lines_before_a_write_error),
		cmocka_unit_test(test_peer_that_has_shut_its_reading_side),
		cmocka_unit_test(test_free_inside_the_callback),
		cmocka_unit_test(test_flush_before_closing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
