#include "backend.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/address.h"
#include "net/transport.h"

#define EHLO_RICH                                                                                  \
	"250-backend\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"             \
	"250-ENHANCEDSTATUSCODES\r\n250 SIZE 100000000"

struct connection {
	struct backend *backend;
	struct list link;
	int fd;
	struct transport *transport;
	bool greeted;
	bool in_data;	/* until the lone dot */
	uint64_t chunk; /* octets of BDAT still to come */
	bool last;	/* the chunk is */
	bool hanging;
	bool garbage; /* is the answer to the next octets */
	unsigned recipients;
};

static void drop(struct connection *c, bool reset)
{
	struct linger hard = {.l_onoff = 1};

	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	transport_free(&c->transport);
	list_remove(&c->link);
	c->backend->open--;
	free(c);
}

static const char *rule(struct backend *b, const char *line, const char *otherwise)
{
	for (size_t i = 0; i < BACKEND_RULES && b->rules[i].on; i++) {
		struct backend_rule *r = &b->rules[i];

		if (!r->reply || strncasecmp(line, r->on, strlen(r->on)) != 0)
			continue;
		if (r->times && --r->times == 0) {
			const char *reply = r->reply;

			r->reply = NULL;
			return reply;
		}
		return r->reply;
	}
	return otherwise;
}

/* False when the connection is gone. */
static bool say(struct connection *c, const char *reply)
{
	if (strcmp(reply, BACKEND_CLOSE) == 0 || strcmp(reply, BACKEND_RESET) == 0) {
		drop(c, reply[1] == 'r');
		return false;
	}
	if (strcmp(reply, BACKEND_HANG) == 0) {
		c->hanging = true;
		return true;
	}
	buf_append_string(transport_out(c->transport), reply);
	buf_append_string(transport_out(c->transport), "\r\n");
	transport_pump(c->transport);
	return true;
}

static bool end_message(struct connection *c)
{
	unsigned replies = c->backend->lmtp ? c->recipients : 1;

	c->backend->messages++;
	c->recipients = 0;
	for (unsigned i = 0; i < replies; i++)
		if (!say(c, rule(c->backend, ".", "250 2.0.0 taken")))
			return false;
	return true;
}

static bool hear_data(struct connection *c, const char *line, size_t len)
{
	if (len == 3 && line[0] == '.') {
		c->in_data = false;
		return end_message(c);
	}
	if (line[0] == '.') {
		line++;
		len--;
	}
	buf_append(&c->backend->message, line, len);
	return true;
}

static void begin_message(struct connection *c)
{
	buf_consume(&c->backend->message, c->backend->message.len);
	if (c->backend->deaf)
		c->hanging = true;
}

static bool is(const char *line, const char *command)
{
	return strncasecmp(line, command, strlen(command)) == 0;
}

static bool hear_command(struct connection *c, const char *line)
{
	struct backend *b = c->backend;
	const char *reply = rule(b, line, "250 2.0.0 ok");

	if ((is(line, "EHLO") || is(line, "LHLO")) && is(reply, "250 2.0.0"))
		reply = b->ehlo ? b->ehlo : EHLO_RICH;
	if (is(line, "RCPT") && reply[0] == '2')
		c->recipients++;
	if (is(line, "RSET") || is(line, "MAIL"))
		c->recipients = 0;
	if (is(line, "DATA") && reply[0] == '2')
		reply = "354 go on";
	if (is(line, "DATA") && reply[0] == '3') {
		c->in_data = true;
		begin_message(c);
	}
	if (is(line, "QUIT") && reply[0] == '2') {
		say(c, "221 2.0.0 bye");
		drop(c, false);
		return false;
	}
	if (!say(c, reply))
		return false;
	if (is(line, "STARTTLS") && reply[0] == '2' && b->garbage)
		c->garbage = true;
	else if (is(line, "STARTTLS") && reply[0] == '2' && b->tls)
		transport_start_tls(c->transport, b->tls, false);
	return true;
}

static bool hear_chunk(struct connection *c, struct buf *in)
{
	size_t n = c->chunk < in->len ? (size_t)c->chunk : in->len;

	buf_append(&c->backend->message, buf_head(in), n);
	buf_consume(in, n);
	c->chunk -= n;
	if (c->chunk)
		return true;
	return !c->last || end_message(c);
}

static bool hear_line(struct connection *c, const char *line, size_t len)
{
	char command[1024];

	if (c->in_data)
		return hear_data(c, line, len);
	buf_append(&c->backend->heard, line, len);
	snprintf(command, sizeof command, "%.*s", (int)len - 2, line);
	if (is(command, "BDAT ")) {
		begin_message(c);
		c->chunk = strtoull(command + 5, NULL, 10);
		c->last = strstr(command, "LAST") != NULL;
		return true;
	}
	return hear_command(c, command);
}

static void hear(struct connection *c)
{
	struct buf *in = transport_in(c->transport);
	struct backend *b = c->backend;

	if (c->garbage) {
		buf_consume(in, in->len);
		say(c, "this is no TLS at all, and long enough for a record");
		return;
	}
	if (b->proxied && !c->greeted) {
		if (in->len < b->proxied)
			return;
		buf_append(&b->header, buf_head(in), b->proxied);
		buf_consume(in, b->proxied);
	}
	if (!c->greeted) {
		c->greeted = true;
		if (!say(c, rule(b, "banner", "220 backend ESMTP")))
			return;
	}
	while (in->len && !c->hanging) {
		char *line = buf_head(in);
		char *end = memmem(line, in->len, "\r\n", 2);
		size_t len = end ? (size_t)(end - line) + 2 : 0;
		char *copy;
		bool on;

		if (c->chunk) {
			if (!hear_chunk(c, in))
				return;
			continue;
		}
		if (!end)
			break;
		copy = malloc(len + 1);
		memcpy(copy, line, len);
		copy[len] = '\0';
		buf_consume(in, len);
		on = hear_line(c, copy, len);
		free(copy);
		if (!on)
			return;
	}
	transport_pump(c->transport);
}

static void on_event(void *arg, enum transport_event event)
{
	struct connection *c = arg;

	if (event == TRANSPORT_INPUT)
		hear(c);
	else if (event == TRANSPORT_EOF || event == TRANSPORT_FAILED)
		drop(c, false);
}

static void on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct backend *b = w->data;
	struct connection *c;
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)revents;
	if (fd < 0)
		return;
	c = calloc(1, sizeof *c);
	c->backend = b;
	c->fd = fd;
	list_append(&b->connections, &c->link);
	b->accepted++;
	b->open++;
	c->transport = transport_new(loop, fd, 65536, 65536, on_event, c);
	if (!b->proxied)
		hear(c);
}

static void listen_at(struct backend *b, unsigned port)
{
	struct sockaddr_in name = {.sin_family = AF_INET,
				   .sin_port = htons((uint16_t)port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof name;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
	snprintf(b->address, sizeof b->address, "127.0.0.1:%u", ntohs(name.sin_port));
	ev_io_init(&b->listening, on_accept, fd, EV_READ);
	b->listening.data = b;
	ev_io_start(b->loop, &b->listening);
}

void backend_init(struct backend *b, struct ev_loop *loop)
{
	*b = (struct backend){.loop = loop};
	list_init(&b->connections);
	buf_init(&b->heard, 1 << 20);
	buf_init(&b->message, 1 << 26);
	buf_init(&b->header, 4096);
	listen_at(b, 0);
}

void backend_stop(struct backend *b)
{
	if (b->listening.fd < 0)
		return;
	ev_io_stop(b->loop, &b->listening);
	close(b->listening.fd);
	b->listening.fd = -1;
}

void backend_start(struct backend *b)
{
	listen_at(b, (unsigned)atoi(strchr(b->address, ':') + 1));
}

void backend_hang_up(struct backend *b)
{
	while (!list_empty(&b->connections))
		drop(list_of(b->connections.next, struct connection, link), false);
}

void backend_hear(struct backend *b)
{
	b->deaf = false;
	list_each(at, after, &b->connections)
	{
		struct connection *c = list_of(at, struct connection, link);

		c->hanging = false;
		hear(c);
	}
}

void backend_fini(struct backend *b)
{
	backend_stop(b);
	backend_hang_up(b);
	buf_fini(&b->heard);
	buf_fini(&b->message);
	buf_fini(&b->header);
}

void backend_rule(struct backend *b, const char *on, const char *reply, unsigned times)
{
	for (size_t i = 0; i < BACKEND_RULES; i++) {
		if (b->rules[i].on)
			continue;
		b->rules[i] = (struct backend_rule){on, reply, times};
		return;
	}
	fail_msg("too many rules");
}

void backend_forget_rules(struct backend *b)
{
	memset(b->rules, 0, sizeof b->rules);
}

unsigned backend_heard(const struct backend *b, const char *command)
{
	const char *at = b->heard.len ? buf_head(&b->heard) : "", *end = at + b->heard.len;
	unsigned n = 0;

	while (at < end) {
		n += strncasecmp(at, command, strlen(command)) == 0;
		at = memmem(at, (size_t)(end - at), "\r\n", 2);
		at = at ? at + 2 : end;
	}
	return n;
}
