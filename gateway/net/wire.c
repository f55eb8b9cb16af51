#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "linger.h"

#define READ_MAX    65536 /* most mails are had in one reading */
#define NETWORK_MAX 32768 /* nearly two full TLS records each way */

void wire_init(struct wire *w, int fd, size_t in_max, size_t out_max)
{
	assert(in_max && out_max);
	*w = (struct wire){.fd = fd};
	buf_init(&w->in, in_max);
	buf_init(&w->out, out_max);
}

void wire_fini(struct wire *w)
{
	tls_free(&w->tls);
	buf_fini(&w->in);
	buf_fini(&w->out);
	if (w->network) {
		buf_fini(&w->network->in);
		buf_fini(&w->network->out);
	}
	free(w->network);
	free(w->failure);
}

/* The buffer on the socket's side. */
static struct buf *socket_in(struct wire *w)
{
	return w->stage == WIRE_PLAIN ? &w->in : &w->network->in;
}

static struct buf *socket_out(struct wire *w)
{
	return w->stage >= WIRE_HANDSHAKE ? &w->network->out : &w->out;
}

static void count(counter *to, ssize_t n)
{
	if (to)
		counter_add(to, (uint64_t)n);
}

static void fail(struct wire *w, const char *prefix, const char *text)
{
	char failure[160];

	if (w->failed || w->shut) /* once drained, there is nothing left to lose */
		return;
	snprintf(failure, sizeof failure, "%s%s", prefix, text);
	w->failure = mem_copy_string(failure);
	w->failed = true;
	w->due = WIRE_DUE(TRANSPORT_FAILED);
}

static void fail_in_tls(struct wire *w, const char *text)
{
	ssize_t n;

	w->failed_in_tls = true;
	fail(w, "tls: ", text);
	if (!w->network->out.len)
		return;
	/* The alert tells the client why. If it does not fit now, it does not matter. */
	n = send(w->fd, buf_head(&w->network->out), w->network->out.len,
		 MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n <= 0)
		return;
	count(w->counted_out, n);
	buf_consume(&w->network->out, w->network->out.len);
}

void wire_fail(struct wire *w, int error)
{
	fail(w, "",
	     error == ECONNRESET ? "reset by peer"
	     : error == EPIPE	 ? "closed by peer"
				 : strerror(error));
}

/* A TCP end without close_notify counts as well: cutting a mail short is harmless, as only the
 * final dot makes it one. */
static void end_input(struct wire *w)
{
	if (w->input_over)
		return;
	w->input_over = true;
	w->due |= WIRE_DUE(TRANSPORT_EOF);
}

static void discard(struct wire *w)
{
	enum linger_result result = linger_discard(w->fd);

	w->socket_eof = result != LINGER_MORE;
	if (result == LINGER_ERROR)
		wire_fail(w, ECONNRESET);
}

static void receive(struct wire *w)
{
	/* One for all: a buffer is then as large as what there was to read, and not as what there
	 * might have been. A process has one loop. */
	static char piece[READ_MAX];
	struct buf *in = socket_in(w);
	size_t room = buf_room(in) < sizeof piece ? buf_room(in) : sizeof piece;
	ssize_t n;

	if (!room)
		return;
	n = recv(w->fd, piece, room, MSG_DONTWAIT);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			wire_fail(w, errno);
		return;
	}
	count(w->counted_in, n);
	buf_append(in, piece, (size_t)n);
	w->socket_eof = n == 0;
	if (w->stage != WIRE_PLAIN)
		return; /* TLS decides what it means */
	if (w->socket_eof)
		end_input(w);
	else
		w->due |= WIRE_DUE(TRANSPORT_INPUT);
}

void wire_connected(struct wire *w)
{
	int error = 0;
	socklen_t size = sizeof error;

	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	if (error) {
		wire_fail(w, error);
		return;
	}
	w->connecting = false;
	w->due |= WIRE_DUE(TRANSPORT_CONNECTED);
}

void wire_receive(struct wire *w)
{
	if (w->finishing)
		discard(w);
	else
		receive(w);
}

static void shake_hands(struct wire *w)
{
	enum tls_result result = tls_handshake(w->tls);

	if (result == TLS_OK) {
		w->stage = WIRE_SECURE;
		w->due |= WIRE_DUE(TRANSPORT_SECURE);
	} else if (result == TLS_FAILED) {
		fail_in_tls(w, tls_failure(w->tls));
	} else if (result == TLS_CLOSED || w->socket_eof) {
		fail_in_tls(w, "closed by peer during the handshake");
	}
}

static void decrypt(struct wire *w)
{
	size_t before = w->in.len;
	enum tls_result result = tls_read(w->tls, &w->in);

	if (w->in.len > before)
		w->due |= WIRE_DUE(TRANSPORT_INPUT);
	if (result == TLS_FAILED)
		fail_in_tls(w, tls_failure(w->tls));
	else if (result == TLS_CLOSED ||
		 (result == TLS_NEED_INPUT && w->socket_eof && !w->network->in.len))
		end_input(w);
}

static void encrypt(struct wire *w)
{
	if (tls_write(w->tls, &w->out) == TLS_FAILED)
		fail_in_tls(w, tls_failure(w->tls));
}

static void step_tls(struct wire *w)
{
	if (w->stage == WIRE_TURN && !w->out.len)
		w->stage = WIRE_HANDSHAKE;
	if (w->stage == WIRE_HANDSHAKE && !w->finishing)
		shake_hands(w);
	if (w->stage == WIRE_SECURE && !w->finishing)
		decrypt(w);
	if (w->stage == WIRE_SECURE && !w->failed)
		encrypt(w);
}

/* True when the kernel took something. */
static bool send_out(struct wire *w)
{
	struct buf *out = socket_out(w);
	size_t before = out->len;

	while (out->len) {
		ssize_t n = send(w->fd, buf_head(out), out->len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			count(w->counted_out, n);
			buf_consume(out, (size_t)n);
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			wire_fail(w, errno);
			break;
		}
	}
	return out->len < before;
}

/* Moves octets through the TLS stage and out, as far as they go. */
static void move(struct wire *w)
{
	bool again = true;

	while (again && !w->failed) {
		bool stuck;

		step_tls(w);
		if (w->failed)
			return;
		/* A full network->out stops TLS in the middle, in reading too (a handshake or
		 * key update in answer); a reply in clear not yet out delays its begin. */
		stuck = w->stage == WIRE_TURN || (w->tls && !buf_room(&w->network->out));
		again = send_out(w) && stuck;
	}
}

static void shut(struct wire *w)
{
	if (!w->finishing || w->shut || w->failed || w->out.len || socket_out(w)->len)
		return;
	if (w->stage == WIRE_SECURE && !w->notified) {
		w->notified = true;
		tls_close(w->tls);
		send_out(w);
		if (w->network->out.len || w->failed)
			return;
	}
	w->shut = true;
	/* Many clients say QUIT and close, and our last reply resets the connection. Nothing of
	 * theirs has to be waited for. */
	if (shutdown(w->fd, SHUT_WR))
		w->socket_eof = true;
	else if (!w->socket_eof)
		discard(w);
	w->due |= WIRE_DUE(TRANSPORT_DRAINED);
}

void wire_move(struct wire *w)
{
	if (w->connecting)
		return;
	move(w);
	shut(w);
	/* An idle connection, or one in the middle of a TLS record, holds no empty buffer. */
	buf_release(&w->in);
	buf_release(&w->out);
	if (w->network) {
		buf_release(&w->network->in);
		buf_release(&w->network->out);
	}
}

bool wire_wants_read(struct wire *w)
{
	if (w->socket_eof || w->failed || w->connecting)
		return false;
	return w->finishing || (!w->input_over && buf_room(socket_in(w)));
}

bool wire_wants_write(struct wire *w)
{
	return !w->failed && (w->connecting || socket_out(w)->len);
}

static void add_network(struct wire *w)
{
	w->network = mem_new(sizeof *w->network);
	buf_init(&w->network->in, NETWORK_MAX);
	buf_init(&w->network->out, NETWORK_MAX);
}

void wire_start_tls(struct wire *w, struct tls_context *context, bool input_is_tls)
{
	assert(w->stage == WIRE_PLAIN && (input_is_tls || !w->in.len));
	add_network(w);
	if (w->in.len) {
		/* `in` may be the larger of the two; network->in is then as large this once. */
		size_t max = w->in.max > NETWORK_MAX ? w->in.max : NETWORK_MAX;

		w->network->in = w->in;
		w->network->in.max = max;
		buf_init(&w->in, w->in.max);
	}
	w->tls = tls_new(context, &w->network->in, &w->network->out);
	w->stage = WIRE_TURN;
}

void wire_start_tls_to(struct wire *w, struct tls_client_context *context)
{
	assert(w->stage == WIRE_PLAIN && !w->in.len);
	add_network(w);
	w->tls = tls_new_to(context, &w->network->in, &w->network->out);
	w->stage = WIRE_TURN;
}

void wire_finish(struct wire *w)
{
	w->finishing = true;
	w->due = 0;
	if (w->stage == WIRE_HANDSHAKE)
		buf_consume(&w->out, w->out.len);
	if (w->stage == WIRE_TURN)
		w->stage = WIRE_PLAIN;
	buf_fini(&w->in);
	if (w->network)
		buf_fini(&w->network->in);
}
