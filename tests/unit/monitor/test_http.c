/* The server as its clients see it, kind ones and others. */
#include <errno.h>
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../listening.h"
#include "../loop_turn.h"
#include "monitor/http.h"
#include "net/address.h"

#define ANSWER_SIZE 4096
#define LARGE	    (8 * 1024 * 1024)

struct stage {
	struct ev_loop *loop;
	struct http *http;
	struct address address;
	unsigned made, kept_made;
};

static unsigned write_page(void *arg, struct buf *body)
{
	struct stage *s = arg;

	buf_printf(body, "page %u\n", ++s->made);
	return 200;
}

static unsigned write_kept(void *arg, struct buf *body)
{
	struct stage *s = arg;

	buf_printf(body, "kept %u\n", ++s->kept_made);
	return 503;
}

static unsigned write_empty(void *arg, struct buf *body)
{
	(void)arg, (void)body;
	return 200;
}

static unsigned write_large(void *arg, struct buf *body)
{
	size_t room;

	(void)arg;
	memset(buf_space(body, LARGE, &room), 'x', LARGE);
	buf_added(body, LARGE);
	return 200;
}

static unsigned write_too_large(void *arg, struct buf *body)
{
	(void)arg;
	buf_append_string(body, "a part");
	body->overflow = true;
	return 200;
}

static const struct http_page pages[] = {
	{"/page", "text/plain", 0, write_page},		  {"/kept", "text/plain", 1000, write_kept},
	{"/empty", "text/plain", 0, write_empty},	  {"/large", "text/plain", 0, write_large},
	{"/too-large", "text/plain", 0, write_too_large},
};

static int open_stage(void **state)
{
	struct stage *s = calloc(1, sizeof *s);
	int fd = listening_on("127.0.0.1:0");

	listening_address(fd, &s->address);
	s->loop = ev_loop_new(0);
	s->http = http_new(s->loop, fd, pages, sizeof pages / sizeof *pages, s);
	assert_non_null(s->http);
	*state = s;
	return 0;
}

static int close_stage(void **state)
{
	struct stage *s = *state;

	http_free(&s->http);
	assert_null(s->http);
	http_free(&s->http);
	ev_loop_destroy(s->loop);
	free(s);
	return 0;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Until the connection's end; returns how many octets came, and as many as fit with a NUL. */
static size_t hear(struct stage *s, int fd, char text[ANSWER_SIZE])
{
	static char rest[65536];
	size_t kept = 0, total = 0;
	double until = ev_time() + 30;

	for (;;) {
		ssize_t n = recv(fd, rest, sizeof rest, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		for (ssize_t i = 0; i < n && kept < ANSWER_SIZE - 1; i++)
			text[kept++] = rest[i];
		total += n > 0 ? (size_t)n : 0;
		if (n < 0)
			loop_turn(s->loop, 0.001);
		assert_true(ev_time() < until);
	}
	text[kept] = '\0';
	close(fd);
	return total;
}

static void expect(struct stage *s, const char *request, const char *status, const char *body)
{
	char text[ANSWER_SIZE];
	const char *end;
	int fd = listening_dial(&s->address);

	say(fd, request);
	hear(s, fd, text);
	if (strncmp(text, "HTTP/1.1 ", 9) != 0 || strncmp(text + 9, status, strlen(status)) != 0)
		fail_msg("not %s: %s", status, text);
	end = strstr(text, "\r\n\r\n");
	assert_non_null(end);
	if (body)
		assert_string_equal(end + 4, body);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void test_pages(void **state)
{
	struct stage *s = *state;

	expect(s, GET("/page"), "200 ", "page 1\n");
	expect(s, GET("/page"), "200 ", "page 2\n");
	expect(s, GET("/page?x=1"), "200 ", "page 3\n");
	expect(s, "HEAD /page HTTP/1.1\r\nHost: x\r\n\r\n", "200 ", "");
	expect(s, "GET /page HTTP/1.0\r\n\r\n", "200 ", "page 5\n");
	expect(s, GET("/empty"), "200 ", "");
	/* However often, it is made once. */
	expect(s, GET("/kept"), "503 ", "kept 1\n");
	expect(s, "HEAD /kept HTTP/1.1\r\nHost: x\r\n\r\n", "503 ", "");
	expect(s, GET("/kept"), "503 ", "kept 1\n");
	expect(s, GET("/too-large"), "500 ", NULL);
}

static void test_refused(void **state)
{
	struct stage *s = *state;
	char long_header[20000] = "GET /page HTTP/1.1\r\nHost: x\r\nX: ";

	expect(s, GET("/"), "404 ", "no such page\n");
	expect(s, GET("/pag"), "404 ", NULL);
	expect(s, GET("/page/"), "404 ", NULL);
	expect(s, "POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "405 ",
	       "GET or HEAD\n");
	expect(s, "DELETE /page HTTP/1.1\r\nHost: x\r\n\r\n", "405 ", NULL);
	/* What it would send is not waited for. */
	expect(s, "POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", "405 ",
	       NULL);
	memset(long_header + strlen(long_header), 'a',
	       sizeof long_header - strlen(long_header) - 1);
	long_header[sizeof long_header - 1] = '\0';
	expect(s, long_header, "4", NULL);
	assert_int_equal(s->made, 0);
	expect(s, GET("/page"), "200 ", "page 1\n");
}

/* Two requests on a connection: the first is answered. */
static void test_one_request(void **state)
{
	char text[ANSWER_SIZE];
	struct stage *s = *state;
	int fd = listening_dial(&s->address);

	say(fd, GET("/page") GET("/page"));
	hear(s, fd, text);
	assert_non_null(strstr(text, "page 1\n"));
	assert_null(strstr(text, "page 2\n"));
	assert_non_null(strstr(text, "Connection: close\r\n"));
}

static void test_garbage(void **state)
{
	static const char *const lines[] = {"\r\n\r\n\r\n\r\n", "EHLO x\r\n\r\n", "GET\r\n\r\n",
					    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
					    "GET /page HTTP/9.9\r\n\r\n"};
	struct stage *s = *state;

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		int fd = listening_dial(&s->address);

		say(fd, lines[i]);
		for (int turns = 0; turns < 10; turns++)
			loop_turn(s->loop, 0.001);
		expect(s, GET("/page"), "200 ", NULL);
		close(fd);
	}
}

/* A page that does not fit into the socket goes out as the client reads; others are served. */
static void test_large(void **state)
{
	struct stage *s = *state;
	char text[ANSWER_SIZE];
	int fd = listening_dial(&s->address);

	say(fd, GET("/large"));
	for (int i = 0; i < 20; i++)
		loop_turn(s->loop, 0.001);
	expect(s, GET("/page"), "200 ", "page 1\n");
	assert_true(hear(s, fd, text) > LARGE);
}

/* Whoever only keeps a place loses it to the next ones. */
static void test_many(void **state)
{
	enum { MANY = 3 * HTTP_CONNECTIONS_MAX };
	struct stage *s = *state;
	int fds[MANY], open = 0;
	char octet;

	for (int i = 0; i < MANY; i++) {
		fds[i] = listening_dial(&s->address);
		if (i % 2)
			say(fds[i], "GET /page HTTP/1.1\r\nX");
		if (i % 3 == 2)
			say(fds[i], GET("/large"));
	}
	expect(s, GET("/page"), "200 ", "page 1\n");
	for (int i = 0; i < 50; i++)
		loop_turn(s->loop, 0.001);
	for (int i = 0; i < MANY; i++) {
		ssize_t n = recv(fds[i], &octet, 1, MSG_DONTWAIT | MSG_PEEK);

		open += n < 0 && errno == EAGAIN;
		close(fds[i]);
	}
	assert_in_range(open, 1, HTTP_CONNECTIONS_MAX);
	expect(s, GET("/page"), "200 ", NULL);
}

/* It is closed in time, whatever it drips. */
static void test_slow(void **state)
{
	struct stage *s = *state;
	double began = ev_time(), said = 0;
	int fd = listening_dial(&s->address);
	ssize_t n;
	char octet;

	do {
		if (ev_time() > said + 0.5)
			send(fd, "G", 1, MSG_NOSIGNAL);
		if (ev_time() > said + 0.5)
			said = ev_time();
		loop_turn(s->loop, 0.001);
		n = recv(fd, &octet, 1, MSG_DONTWAIT);
		assert_true(ev_time() < began + 10 * HTTP_SECONDS);
	} while (n < 0 && errno == EAGAIN);
	assert_true(ev_time() > began + HTTP_SECONDS - 1);
	close(fd);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_stage, close_stage)
	const struct CMUnitTest tests[] = {
		TEST(test_pages), TEST(test_refused), TEST(test_one_request), TEST(test_garbage),
		TEST(test_large), TEST(test_many),    TEST(test_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
