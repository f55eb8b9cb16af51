/* idle: holds connections to an SMTP server that do nothing, to tell what each costs it.
 *
 *   idle PORT COUNT plain|tls [OCTETS [ADDRESS]]
 *
 * Each connection says EHLO (with tls: STARTTLS and EHLO again) and, with OCTETS, sends one message
 * of that size. Then it prints "held" and waits for the end of its standard input. They come from
 * 127.0.0.ADDRESS (1): a port has some 28,000 clients from one address. The client's side of TLS is
 * thrown away once nothing more is said; only its socket stays. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

#define SPARE_FILES  100
#define WAIT_SECONDS 20
#define LINE_LENGTH  70

struct connection {
	int fd;
	SSL *ssl; /* NULL: plain */
};

__attribute__((noreturn)) static void stop(const char *what)
{
	fprintf(stderr, "idle: %s: %s\n", what, strerror(errno));
	exit(EX_UNAVAILABLE);
}

static void raise_files(unsigned count)
{
	struct rlimit limit = {count + SPARE_FILES, count + SPARE_FILES};
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur >= limit.rlim_cur)
		return;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		stop("so many open files");
}

static int dial(unsigned port, unsigned address)
{
	struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
	struct timeval limit = {.tv_sec = WAIT_SECONDS};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + address);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((in_port_t)port);
	if (fd < 0)
		stop("socket");
	/* The port is chosen when both ends are known: else each is taken for all servers. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0)
		stop("bind");
	if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
		stop("connect");
	return fd;
}

static void say(struct connection *c, const char *data, size_t len)
{
	while (len) {
		ssize_t n = c->ssl ? SSL_write(c->ssl, data, (int)len)
				   : send(c->fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			stop("send");
		data += n;
		len -= (size_t)n;
	}
}

/* The last line of a reply: "250 ...CRLF" at the end of what has come. */
static bool is_whole(const char *reply, size_t len)
{
	size_t at = len;

	if (len < 6 || reply[len - 1] != '\n')
		return false;
	for (at = len - 1; at > 0 && reply[at - 1] != '\n'; at--)
		;
	return len - at > 4 && reply[at + 3] == ' ';
}

static void expect(struct connection *c, const char *code)
{
	char reply[4096];
	size_t len = 0;

	while (!is_whole(reply, len)) {
		ssize_t n = c->ssl ? SSL_read(c->ssl, reply + len, (int)(sizeof reply - len))
				   : recv(c->fd, reply + len, sizeof reply - len, 0);

		if (n <= 0)
			stop("no reply");
		len += (size_t)n;
	}
	if (strncmp(reply, code, 3) != 0) {
		fprintf(stderr, "idle: expected %s, got %.*s", code, (int)len, reply);
		exit(EX_PROTOCOL);
	}
}

static void command(struct connection *c, const char *line, const char *code)
{
	say(c, line, strlen(line));
	expect(c, code);
}

static void start_tls(struct connection *c, SSL_CTX *context)
{
	command(c, "STARTTLS\r\n", "220");
	c->ssl = SSL_new(context);
	if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1)
		stop("TLS");
	command(c, "EHLO idle.example.com\r\n", "250");
}

static void send_message(struct connection *c, size_t octets)
{
	char line[LINE_LENGTH];

	memset(line, 'x', sizeof line);
	memcpy(line + sizeof line - 2, "\r\n", 2);
	command(c, "MAIL FROM:<a@example.org>\r\n", "250");
	command(c, "RCPT TO:<b@example.com>\r\n", "250");
	command(c, "DATA\r\n", "354");
	for (size_t sent = 0; sent < octets; sent += sizeof line)
		say(c, line, sizeof line);
	command(c, ".\r\n", "250");
}

static void hold(unsigned port, unsigned address, SSL_CTX *context, size_t octets)
{
	struct connection c = {.fd = dial(port, address)};

	expect(&c, "220");
	command(&c, "EHLO idle.example.com\r\n", "250");
	if (context)
		start_tls(&c, context);
	if (octets)
		send_message(&c, octets);
	SSL_free(c.ssl); /* says nothing: the server knows of nothing */
}

int main(int argc, char **argv)
{
	SSL_CTX *context = NULL;
	unsigned port, count, address;
	size_t octets;

	if (argc < 4) {
		fputs("usage: idle PORT COUNT plain|tls [OCTETS [ADDRESS]]\n", stderr);
		return EX_USAGE;
	}
	port = (unsigned)strtoul(argv[1], NULL, 10);
	count = (unsigned)strtoul(argv[2], NULL, 10);
	octets = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
	address = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 1;
	raise_files(count);
	if (strcmp(argv[3], "tls") == 0) {
		context = SSL_CTX_new(TLS_client_method());
		if (!context)
			stop("TLS");
		SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	}
	for (unsigned i = 0; i < count; i++)
		hold(port, address, context, octets);
	puts("held");
	fflush(stdout);
	while (getchar() != EOF)
		;
	SSL_CTX_free(context);
	return EX_OK;
}
