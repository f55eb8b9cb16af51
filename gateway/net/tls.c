#include "tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tls_bio.h"
#include "tls_client_context.h"
#include "tls_context.h"
#include "tls_peer.h"

#define TLS_FIRST_SPACE 512

struct tls {
	SSL *ssl;
	struct tls_bio network;
	struct tls_context *context;	   /* our share; NULL on the client side */
	struct tls_client_context *client; /* the same, of the client side */
	struct tls_peer *peer;
	bool secure; /* the handshake is done */
	bool failed;
	char failure[128];
};

static enum tls_result fail(struct tls *t)
{
	/* The first error in the queue is the cause, the later ones its consequences. */
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	t->failed = true;
	snprintf(t->failure, sizeof t->failure, "%s", reason ? reason : "protocol error");
	ERR_clear_error();
	return TLS_FAILED;
}

static enum tls_result outcome(struct tls *t, int result)
{
	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_NONE:
		return TLS_OK;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: /* network_out is full: goes on once it has been sent */
		return TLS_NEED_INPUT;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		return fail(t);
	}
}

static struct tls *tls_over(SSL_CTX *context, struct buf *network_in, struct buf *network_out)
{
	struct tls *t = mem_new(sizeof *t);
	BIO *bio;

	t->network = (struct tls_bio){.in = network_in, .out = network_out};
	t->ssl = SSL_new(context);
	if (!t->ssl)
		abort(); /* out of memory, as in mem_new() */
	bio = tls_bio_new(&t->network);
	SSL_set_bio(t->ssl, bio, bio);
	return t;
}

struct tls *tls_new(struct tls_context *context, struct buf *network_in, struct buf *network_out)
{
	struct tls *t = tls_over(tls_context_ssl(context), network_in, network_out);

	t->context = tls_context_share(context);
	SSL_set_accept_state(t->ssl);
	return t;
}

/* SSL_set_tlsext_host_name() casts const away. */
static void set_server_name(SSL *ssl, const char *name)
{
	char *copy = mem_copy_string(name);

	SSL_set_tlsext_host_name(ssl, copy);
	free(copy);
}

struct tls *tls_new_client(const char *server_name, struct buf *network_in, struct buf *network_out)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	struct tls *t;

	if (!context)
		abort();
	SSL_CTX_set_mode(context,
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	t = tls_over(context, network_in, network_out);
	SSL_CTX_free(context); /* the connection holds its own reference */
	SSL_set_connect_state(t->ssl);
	if (server_name)
		set_server_name(t->ssl, server_name);
	return t;
}

/* RFC 6125 6.4.3: no "*" for a part of a label; RFC 6066 3: no address as the server's name. */
static void set_expected_name(SSL *ssl, const char *name)
{
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (SSL_set1_host(ssl, name) != 1)
		abort(); /* out of memory, as in mem_new() */
	set_server_name(ssl, name);
}

struct tls *tls_new_to(struct tls_client_context *context, struct buf *network_in,
		       struct buf *network_out)
{
	struct tls *t = tls_over(tls_client_context_ssl(context), network_in, network_out);

	t->client = tls_client_context_share(context);
	SSL_set_connect_state(t->ssl);
	if (tls_client_context_name(context))
		set_expected_name(t->ssl, tls_client_context_name(context));
	return t;
}

void tls_free(struct tls **t)
{
	if (!*t)
		return;
	SSL_free((*t)->ssl);
	tls_context_free(&(*t)->context);
	tls_client_context_free(&(*t)->client);
	free((*t)->peer);
	free(*t);
	*t = NULL;
}

enum tls_result tls_handshake(struct tls *t)
{
	enum tls_result result;

	if (t->failed)
		return TLS_FAILED;
	if (t->secure)
		return TLS_OK;
	ERR_clear_error();
	result = outcome(t, SSL_do_handshake(t->ssl));
	t->secure = result == TLS_OK;
	if (t->secure && t->context)
		t->peer = tls_peer_new(t->ssl);
	return result;
}

/* At least as much as can come out of what has come in, so an idle connection takes no memory. */
static size_t expected(const struct tls *t)
{
	size_t n = t->network.in->len + (size_t)SSL_pending(t->ssl);

	return n > TLS_FIRST_SPACE ? n : TLS_FIRST_SPACE;
}

enum tls_result tls_read(struct tls *t, struct buf *plain_in)
{
	enum tls_result result;
	size_t n, room;
	char *space;

	if (t->failed)
		return TLS_FAILED;
	for (;;) {
		if (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN)
			return TLS_CLOSED;
		if (!t->network.in->len && !SSL_has_pending(t->ssl))
			return TLS_NEED_INPUT;
		space = buf_space(plain_in, expected(t), &room);
		if (!room)
			return TLS_OK;
		ERR_clear_error();
		result = outcome(t, SSL_read_ex(t->ssl, space, room, &n));
		if (result != TLS_OK)
			return result;
		buf_added(plain_in, n);
	}
}

enum tls_result tls_write(struct tls *t, struct buf *plain_out)
{
	if (t->failed)
		return TLS_FAILED;
	while (plain_out->len) {
		size_t n;
		int result;

		ERR_clear_error();
		result = SSL_write_ex(t->ssl, buf_head(plain_out), plain_out->len, &n);
		if (!result)
			return outcome(t, result) == TLS_FAILED ? TLS_FAILED : TLS_OK;
		buf_consume(plain_out, n);
	}
	return TLS_OK;
}

void tls_close(struct tls *t)
{
	if (t->failed || !t->secure)
		return;
	ERR_clear_error();
	SSL_shutdown(t->ssl);
	ERR_clear_error();
}

const char *tls_version(const struct tls *t)
{
	return SSL_get_version(t->ssl);
}

const char *tls_cipher(const struct tls *t)
{
	return SSL_get_cipher_name(t->ssl);
}

int tls_bits(const struct tls *t)
{
	return SSL_get_cipher_bits(t->ssl, NULL);
}

bool tls_is_resumed(const struct tls *t)
{
	return SSL_session_reused(t->ssl);
}

const char *tls_sni(const struct tls *t)
{
	return SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
}

const char *tls_alpn(const struct tls *t)
{
	const unsigned char *name;
	unsigned n;

	SSL_get0_alpn_selected(t->ssl, &name, &n);
	return n ? "smtp" : NULL; /* tls_context selects nothing else */
}

const struct tls_peer *tls_peer(const struct tls *t)
{
	return t->peer;
}

bool tls_is_verified(const struct tls *t)
{
	return t->secure && t->client && tls_client_context_name(t->client) &&
	       SSL_get0_peer_certificate(t->ssl) && SSL_get_verify_result(t->ssl) == X509_V_OK;
}

const char *tls_failure(const struct tls *t)
{
	return t->failure;
}
