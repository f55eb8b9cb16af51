#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "expect.h"
#include "link_user.h"

#define COUNT(event) (u.count[LINE_LINK_##event])
#define LINES	     3000
#define LONGEST	     20000
#define READ_MOST    30000

/* The receiving side. It reads pieces of any size from the socket, and after every one it must hold
 * have got exactly as many descriptors as first octets of lines that announce one, in order. */
struct receiver {
	struct ev_loop *loop;
	ev_io io;
	unsigned octets, lines, announced, got;
	bool in_line, eof;
};

static unsigned random_below(unsigned limit)
{
	static unsigned seed = 4711;

	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % limit;
}

static void take_descriptors(struct receiver *r, struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		unsigned number = 0;
		int fd;

		assert_int_equal(c->cmsg_type, SCM_RIGHTS);
		assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof(int)));
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
		assert_int_equal(pread(fd, &number, sizeof number, 0), sizeof number);
		assert_int_equal(number, r->got++);
		close(fd);
	}
}

static void receiver_read(struct receiver *r, size_t most)
{
	char piece[READ_MOST], space[CMSG_SPACE(8 * sizeof(int))];
	struct iovec vector = {.iov_base = piece, .iov_len = most};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = space,
				 .msg_controllen = sizeof space};
	ssize_t n = recvmsg(r->io.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	assert_int_equal(message.msg_flags & MSG_CTRUNC, 0);
	r->eof = r->eof || n == 0 || (n < 0 && errno != EAGAIN);
	if (n <= 0)
		return;
	r->octets += (unsigned)n;
	take_descriptors(r, &message);
	for (ssize_t i = 0; i < n; i++) {
		r->announced += !r->in_line && piece[i] == 'F';
		r->in_line = piece[i] != '\n';
		r->lines += !r->in_line;
	}
	assert_int_equal(r->got, r->announced);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct receiver *r = w->data;

	(void)loop;
	(void)revents;
	receiver_read(r, 1 + (random_below(2) ? random_below(20) : random_below(READ_MOST - 1)));
	if (r->eof)
		ev_io_stop(r->loop, &r->io);
}

/* Takes the socket of u's peer, which then does nothing more. */
static void receiver_init(struct receiver *r, struct link_user *u)
{
	*r = (struct receiver){.loop = u->loop};
	peer_hear(&u->peer, false);
	ev_io_init(&r->io, on_readable, u->peer.io.fd, EV_READ);
	r->io.data = r;
}

/* A file that holds its number. */
static int numbered(unsigned number)
{
	char path[] = "/tmp/gatepost-fd-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(pwrite(fd, &number, sizeof number, 0), sizeof number);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* The next line of the test: 'F' announces a descriptor. Sent whole or not at all. */
static bool send_line(struct link_user *u, bool with_fd, size_t len, unsigned *numbers)
{
	char line[LONGEST + 1];
	int fd = with_fd ? numbered(*numbers) : -1;
	bool sent;

	memset(line, with_fd ? 'F' : '-', len);
	line[len - 1] = '\n';
	sent = with_fd ? line_link_send_fd(u->link, line, len, fd)
		       : line_link_send(u->link, line, len);
	if (with_fd && sent)
		(*numbers)++;
	else if (with_fd)
		assert_false(is_open(fd));
	return sent;
}

/* Small kernel buffers: writes are cut anywhere and have to wait. */
static void test_nth_descriptor_is_of_the_nth_line_that_announced_one(void **state)
{
	struct link_user u;
	struct receiver r;
	unsigned lines = 0, numbers = 0, small = 4096;

	(void)state;
	link_user_init(&u, 100000);
	assert_int_equal(setsockopt(u.peer.io.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
	receiver_init(&r, &u);
	ev_io_start(u.loop, &r.io);
	while (lines < LINES) {
		bool with_fd = random_below(3) > 0;
		size_t len = 2 + random_below(random_below(4) ? 30 : LONGEST - 1);

		if (send_line(&u, with_fd, len, &numbers)) {
			lines++;
			if (random_below(20) == 0)
				line_link_flush(u.link);
		}
		if (random_below(10) == 0)
			ev_run(u.loop, EVRUN_NOWAIT);
	}
	RUN_UNTIL(u.loop, r.lines == LINES);
	assert_true(numbers > LINES / 2);
	assert_int_equal(r.got, numbers);
	assert_int_equal(line_link_pending(u.link), 0);
	ev_io_stop(u.loop, &r.io);
	link_user_fini(&u);
}

/* What was collected before is written without it. */
static void test_never_with_an_earlier_octet(void **state)
{
	struct link_user u;
	struct receiver r;
	unsigned numbers = 0;
	int fd = numbered(numbers);

	(void)state;
	link_user_init(&u, 4096);
	receiver_init(&r, &u);
	assert_true(link_user_send(&u, "---\n"));
	assert_true(line_link_send_fd(u.link, "F\n", 2, fd));
	assert_true(is_open(fd));
	assert_true(link_user_send(&u, "-\n"));
	line_link_flush(u.link);
	assert_int_equal(line_link_pending(u.link), 0);
	assert_false(is_open(fd));
	receiver_read(&r, 4);
	assert_int_equal(r.got, 0);
	receiver_read(&r, 1);
	assert_int_equal(r.got, 1);
	receiver_read(&r, 100);
	receiver_read(&r, 100);
	assert_int_equal(r.octets, 8);
	link_user_fini(&u);
}

/* The peer does not read: the descriptor waits behind what the kernel does not take. */
static void test_waits_with_its_octet(void **state)
{
	struct link_user u;
	struct receiver r;
	unsigned numbers = 0, lines = 0;
	int fd = numbered(0);

	(void)state;
	link_user_init(&u, 100000);
	receiver_init(&r, &u);
	while (!line_link_pending(u.link)) {
		assert_true(send_line(&u, false, 10000, &numbers));
		lines++;
		line_link_flush(u.link);
	}
	assert_true(line_link_send_fd(u.link, "F\n", 2, fd));
	line_link_flush(u.link);
	assert_true(expect_turns(u.loop, 0.02) < 10);
	assert_true(is_open(fd));
	ev_io_start(u.loop, &r.io);
	RUN_UNTIL(u.loop, r.lines == lines + 1);
	assert_int_equal(r.got, 1);
	ev_io_stop(u.loop, &r.io);
	link_user_fini(&u);
}

static void test_at_most_256_wait(void **state)
{
	struct link_user u;
	struct receiver r;
	unsigned numbers = 0;

	(void)state;
	link_user_init(&u, 100000);
	receiver_init(&r, &u);
	for (unsigned i = 0; i < 256; i++)
		assert_true(send_line(&u, true, 2, &numbers));
	assert_false(send_line(&u, true, 2, &numbers));
	assert_int_equal(line_link_pending(u.link), 512); /* nothing of it */
	assert_true(send_line(&u, false, 2, &numbers));
	ev_io_start(u.loop, &r.io);
	RUN_UNTIL(u.loop, COUNT(WRITABLE)); /* the one that was refused is told so */
	assert_true(send_line(&u, true, 2, &numbers));
	RUN_UNTIL(u.loop, r.lines == 258);
	assert_int_equal(r.got, 257);
	ev_io_stop(u.loop, &r.io);
	link_user_fini(&u);
}

static void test_closed_when_it_does_not_fit(void **state)
{
	struct link_user u;
	struct receiver r;
	char line[21];
	int fd = numbered(0);

	(void)state;
	link_user_init(&u, 20);
	receiver_init(&r, &u);
	memset(line, 'F', sizeof line);
	assert_false(line_link_send_fd(u.link, line, sizeof line, fd));
	assert_false(is_open(fd));
	fd = numbered(0);
	assert_false(line_link_send_fd(u.link, "", 0, fd)); /* no octet to go with */
	assert_false(is_open(fd));
	assert_int_equal(line_link_pending(u.link), 0);
	line_link_flush(u.link);
	receiver_read(&r, 100);
	assert_int_equal(r.octets + r.got, 0);
	link_user_fini(&u);
}

static void test_closed_when_the_peer_has_gone(void **state)
{
	struct link_user u;
	int sent = numbered(0), late = numbered(1);

	(void)state;
	link_user_init(&u, 4096);
	peer_fini(&u.peer);
	assert_true(line_link_send_fd(u.link, "F\n", 2, sent));
	RUN_UNTIL(u.loop, COUNT(DOWN));
	assert_string_equal(line_link_failure(u.link), "closed by the peer");
	assert_false(is_open(sent));
	assert_false(line_link_send_fd(u.link, "F\n", 2, late));
	assert_false(is_open(late));
	link_user_fini(&u);
}

/* Some are with the kernel, some wait; then the peer goes. */
static void test_closed_when_the_peer_goes_amid_them(void **state)
{
	struct link_user u;
	unsigned numbers = 0;
	int last = numbered(0);

	(void)state;
	link_user_init(&u, 400000);
	peer_hear(&u.peer, false);
	while (!line_link_pending(u.link)) {
		assert_true(send_line(&u, true, LONGEST, &numbers));
		line_link_flush(u.link);
	}
	assert_true(line_link_send_fd(u.link, "F\n", 2, last));
	assert_true(is_open(last));
	peer_fini(&u.peer);
	RUN_UNTIL(u.loop, COUNT(DOWN));
	assert_false(is_open(last));
	link_user_fini(&u);
}

static void test_closed_with_the_link(void **state)
{
	struct link_user u;
	int first = numbered(0), second = numbered(1);

	(void)state;
	link_user_init(&u, 4096);
	assert_true(line_link_send_fd(u.link, "F\n", 2, first));
	assert_true(line_link_send_fd(u.link, "F\n", 2, second));
	line_link_free(&u.link);
	assert_false(is_open(first));
	assert_false(is_open(second));
	link_user_fini(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nth_descriptor_is_of_the_nth_line_that_announced_one),
		cmocka_unit_test(test_never_with_an_earlier_octet),
		cmocka_unit_test(test_waits_with_its_octet),
		cmocka_unit_test(test_at_most_256_wait),
		cmocka_unit_test(test_closed_when_it_does_not_fit),
		cmocka_unit_test(test_closed_when_the_peer_has_gone),
		cmocka_unit_test(test_closed_when_the_peer_goes_amid_them),
		cmocka_unit_test(test_closed_with_the_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
