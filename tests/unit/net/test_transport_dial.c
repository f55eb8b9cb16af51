/* Connections that we make. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "expect.h"
#include "net/address.h"
#include "net/reaper.h"
#include "net/transport.h"
#include "peer.h"

struct dialled {
	struct ev_loop *loop;
	struct transport *t;
	unsigned connected, failed, timeouts, input;
	bool inside;
};

static struct dialled d;

static void on_event(void *arg, enum transport_event event)
{
	struct dialled *s = arg;

	assert_false(s->inside);
	s->connected += event == TRANSPORT_CONNECTED;
	s->failed += event == TRANSPORT_FAILED;
	s->timeouts += event == TRANSPORT_TIMEOUT;
	s->input += event == TRANSPORT_INPUT;
}

static void dial_to(const struct address *address)
{
	memset(&d, 0, sizeof d);
	d.loop = ev_loop_new(EVFLAG_AUTO);
	d.inside = true;
	d.t = transport_dial(d.loop, address, 4096, 4096, on_event, &d);
	d.inside = false;
}

static void end(void)
{
	transport_free(&d.t);
	reaper_run(d.loop);
	ev_loop_destroy(d.loop);
}

static int listen_on(struct address *address, const char *text)
{
	int fd;

	assert_true(address_parse(text, address));
	fd = socket(address->storage.ss_family, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address->storage, address->len), 0);
	address->len = sizeof address->storage;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address->storage, &address->len), 0);
	return fd;
}

static void talk(const char *text)
{
	struct address address;
	int fd = listen_on(&address, text);
	struct peer peer;

	assert_int_equal(listen(fd, 4), 0);
	dial_to(&address);
	buf_append_string(transport_out(d.t), "before ");
	transport_pump(d.t);
	RUN_UNTIL(d.loop, d.connected);
	peer_init(&peer, d.loop, accept(fd, NULL, NULL));
	buf_append_string(transport_out(d.t), "after");
	transport_pump(d.t);
	RUN_UNTIL(d.loop, peer_got(&peer, "before after"));
	peer_send_string(&peer, "hello");
	RUN_UNTIL(d.loop, transport_in(d.t)->len == 5);
	assert_int_equal(d.connected, 1);
	assert_int_equal(d.failed, 0);
	peer_fini(&peer);
	close(fd);
	end();
}

static void test_tcp(void **state)
{
	(void)state;
	talk("127.0.0.1:0");
}

static void test_ipv6(void **state)
{
	(void)state;
	talk("[::1]:0");
}

static void test_unix(void **state)
{
	char folder[] = "/tmp/dialXXXXXX", text[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(text, sizeof text, "unix:%s/s", folder);
	talk(text);
	unlink(text + 5);
	rmdir(folder);
}

static void fails(const struct address *address, const char *why)
{
	dial_to(address);
	buf_append_string(transport_out(d.t), "lost");
	transport_pump(d.t);
	RUN_UNTIL(d.loop, d.failed);
	assert_string_equal(transport_failure(d.t), why);
	assert_int_equal(d.connected, 0);
	assert_int_equal(d.failed, 1);
	end();
}

static void test_refused(void **state)
{
	struct address address;
	int fd = listen_on(&address, "127.0.0.1:0"); /* and nobody listens */

	(void)state;
	fails(&address, "Connection refused");
	close(fd);
}

static void test_no_such_socket(void **state)
{
	struct address address;

	(void)state;
	assert_true(address_parse("unix:/nowhere/s", &address));
	fails(&address, "No such file or directory");
}

/* A backlog that is full does not answer. */
static void test_hangs(void **state)
{
	struct address address;
	int fd = listen_on(&address, "127.0.0.1:0"), more[8];

	(void)state;
	assert_int_equal(listen(fd, 0), 0);
	for (int i = 0; i < 8; i++) {
		more[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(more[i], (struct sockaddr *)&address.storage, address.len);
	}
	dial_to(&address);
	transport_set_timeout(d.t, 0.1);
	RUN_UNTIL(d.loop, d.timeouts);
	assert_int_equal(d.connected + d.failed, 0);
	end();
	for (int i = 0; i < 8; i++)
		close(more[i]);
	close(fd);
}

static void test_freed_at_once(void **state)
{
	struct address address;
	int fd = listen_on(&address, "127.0.0.1:0");

	(void)state;
	dial_to(&address);
	transport_free(&d.t);
	ev_run(d.loop, EVRUN_NOWAIT);
	assert_int_equal(d.connected + d.failed, 0);
	end();
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),	      cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_unix),	      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hangs),	      cmocka_unit_test(test_no_such_socket),
		cmocka_unit_test(test_freed_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
