#include "drive_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ident.h"

#define MESSAGE_MAX  26214400 /* octets, as announced in hello */
#define REGISTER_MAX 5.0      /* seconds for register, as PROTOCOL.md has it */
#define PING_MS	     15000    /* announced; nothing here waits that long */

/* What may wait here unread while we send. Without a limit a service that floods would own all
 * memory; with it, the flood fills the socket as it would the gateway's. */
#define EARLY_MAX (4u * JSONL_LINE_MAX)

double drive_wire_now(void)
{
	return (double)clock_us() / 1e6;
}

int drive_wire_complain(const struct drive_wire *wire, int code, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s: ", wire->program);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

int drive_wire_breach(const struct drive_wire *wire, const char *format, ...)
{
	char rule[512];
	va_list args;

	va_start(args, format);
	vsnprintf(rule, sizeof rule, format, args);
	va_end(args);
	return drive_wire_complain(wire, EX_PROTOCOL, "the service breaks the protocol: %s", rule);
}

void drive_wire_init(struct drive_wire *wire, const char *program, const char *path, double timeout)
{
	*wire = (struct drive_wire){.program = program, .path = path, .timeout = timeout, .fd = -1};
	jsonl_init(&wire->in, JSONL_LINE_MAX);
}

void drive_wire_fini(struct drive_wire *wire)
{
	drive_wire_close(wire);
	drive_spool_remove(&wire->spool);
}

void drive_wire_close(struct drive_wire *wire)
{
	if (wire->fd >= 0)
		close(wire->fd);
	wire->fd = -1;
	jsonl_fini(&wire->in);
	json_out_fini(&wire->early);
}

/* --- octets --- */

/* Takes what has come. False at the end of the input. */
static bool take(struct drive_wire *wire)
{
	char piece[65536];
	ssize_t n = recv(wire->fd, piece, sizeof piece, MSG_DONTWAIT);

	if (n > 0)
		json_out_raw_octets(&wire->early, piece, (size_t)n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

bool drive_wire_send(struct drive_wire *wire, const char *data, size_t len)
{
	while (len) {
		struct pollfd fds = {.fd = wire->fd, .events = POLLIN | POLLOUT};
		ssize_t n = send(wire->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return false;
		if (wire->early.len > EARLY_MAX)
			fds.events = POLLOUT;
		if (poll(&fds, 1, (int)(wire->timeout * 1000)) == 0)
			return false; /* it does not read */
		if (fds.revents & POLLIN && !take(wire))
			return false;
	}
	return true;
}

void drive_wire_shutdown(struct drive_wire *wire)
{
	shutdown(wire->fd, SHUT_WR);
}

enum drive_input drive_wire_read(struct drive_wire *wire, double timeout, char **line, size_t *len)
{
	double end = drive_wire_now() + timeout;

	while (!jsonl_next(&wire->in, line, len)) {
		struct pollfd fds = {.fd = wire->fd, .events = POLLIN};
		double left = end - drive_wire_now();

		if (wire->early.len) {
			/* Of what is too long, the lines before it can still be taken. */
			jsonl_feed(&wire->in, wire->early.data, wire->early.len);
			json_out_clear(&wire->early);
			continue;
		}
		if (wire->in.too_long)
			return DRIVE_TOO_LONG;
		if (left <= 0 || poll(&fds, 1, (int)ceil(left * 1000)) == 0)
			return DRIVE_SILENT;
		if (fds.revents && !take(wire))
			return DRIVE_CLOSED;
	}
	return DRIVE_LINE;
}

/* --- the handshake --- */

static bool dial(struct drive_wire *wire)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t len = strlen(wire->path);

	errno = ENAMETOOLONG;
	if (len >= sizeof name.sun_path)
		return false;
	memcpy(name.sun_path, wire->path, len);
	wire->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return wire->fd >= 0 && connect(wire->fd, (struct sockaddr *)&name, sizeof name) == 0;
}

/* Sends what was written and empties it. The result does not matter in the handshake: a service
 * that has closed is found out by reading. */
static void send_out(struct drive_wire *wire, struct json_out *out)
{
	drive_wire_send(wire, out->data, out->len);
	json_out_fini(out);
}

static void send_hello(struct drive_wire *wire)
{
	struct json_out out = {0};
	char epoch[IDENT_SIZE];
	struct handshake_gateway gateway = {.name = "mx1.example.org",
					    .epoch = epoch,
					    .software = "gatepost/" GATEPOST_VERSION " drive"};

	ident_make(epoch);
	handshake_policy_hello(&out, &gateway, MESSAGE_MAX, PING_MS);
	send_out(wire, &out);
}

static int read_register(struct drive_wire *wire)
{
	double limit = wire->timeout < REGISTER_MAX ? wire->timeout : REGISTER_MAX;
	struct handshake_error error;
	struct json_out out = {0};
	char *line;
	size_t len;

	switch (drive_wire_read(wire, limit, &line, &len)) {
	case DRIVE_CLOSED:
		return drive_wire_breach(wire, "it closed the connection before its register");
	case DRIVE_SILENT:
		return drive_wire_breach(wire, "no register within %g s", limit);
	case DRIVE_TOO_LONG:
		return drive_wire_breach(wire, "line_too_long: more than %d octets",
					 JSONL_LINE_MAX);
	case DRIVE_LINE:
		break;
	}
	if (handshake_read_register(line, len, HOOK_FACTS_ALL, &wire->reg, &error))
		return DRIVE_GO_ON;
	handshake_error(&out, true, 0, error.code, error.message);
	send_out(wire, &out);
	return drive_wire_breach(wire, "register: %s: %s", error.code, error.message);
}

/* A descriptor is of no use for a request that is a line of text here. */
static int drop_fd(struct drive_wire *wire)
{
	struct handshake_register *reg = &wire->reg;
	size_t kept = 0;

	for (size_t i = 0; i < reg->body_len; i++)
		if (reg->body[i] != HOOK_BODY_FD)
			reg->body[kept++] = reg->body[i];
	reg->body_len = kept;
	if (kept)
		return DRIVE_GO_ON;
	reg->body[reg->body_len++] = HOOK_BODY_NONE;
	if (!(reg->hooks & 1u << HOOK_MESSAGE))
		return DRIVE_GO_ON;
	return drive_wire_complain(wire, EX_UNAVAILABLE,
				   "the service takes messages as descriptors only, which are not "
				   "sent here: let it register another body mode after \"fd\"");
}

static bool takes_path(const struct handshake_register *reg)
{
	for (size_t i = 0; i < reg->body_len; i++)
		if (reg->body[i] == HOOK_BODY_PATH)
			return true;
	return false;
}

int drive_wire_open(struct drive_wire *wire)
{
	struct json_out out = {0};
	const char *spool = NULL;
	int code;

	if (!dial(wire))
		return drive_wire_complain(wire, EX_UNAVAILABLE,
					   "cannot connect to %s: %s; is the service running?",
					   wire->path, strerror(errno));
	send_hello(wire);
	code = read_register(wire);
	if (code == DRIVE_GO_ON)
		code = drop_fd(wire);
	if (code != DRIVE_GO_ON)
		return code;
	if (takes_path(&wire->reg)) {
		if (!drive_spool_make(&wire->spool))
			return drive_wire_complain(wire, EX_CANTCREAT,
						   "cannot make a spool directory: %s",
						   strerror(errno));
		spool = wire->spool.path;
	}
	handshake_policy_ready(&out, &wire->reg,
			       &(struct handshake_ready){
				       .policy = "drive",
				       .hooks = wire->reg.hooks,
				       .deadline_ms = (long)(wire->timeout * 1000),
				       .extend_ms = (long)(DRIVE_EXTEND_MAX * 1000),
				       .grants = DRIVE_GRANTS,
				       .spool = spool,
			       });
	send_out(wire, &out);
	return DRIVE_GO_ON;
}

enum hook drive_wire_hook(const struct drive_wire *wire, enum hook wanted)
{
	for (unsigned i = 0; i < HOOK_MAX; i++)
		if (wire->reg.hooks & 1u << i && i != HOOK_DISCONNECT &&
		    (wanted == HOOK_MAX || wanted == (enum hook)i))
			return (enum hook)i;
	return HOOK_MAX;
}
