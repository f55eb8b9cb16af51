#include "tls_pair.h"

#include "expect.h"

void tls_pair_init(struct tls_pair *p, struct tls_context *context, size_t network_max)
{
	buf_init(&p->server_in, network_max);
	buf_init(&p->server_out, network_max);
	buf_init(&p->client_in, TLS_PAIR_MAX);
	buf_init(&p->client_out, TLS_PAIR_MAX);
	buf_init(&p->server_plain, TLS_PAIR_MAX);
	buf_init(&p->client_plain, TLS_PAIR_MAX);
	p->server = tls_new(context, &p->server_in, &p->server_out);
	p->client = tls_new_client("mx.example.com", &p->client_in, &p->client_out);
}

void tls_pair_fini(struct tls_pair *p)
{
	tls_free(&p->server);
	tls_free(&p->client);
	assert_null(p->server);
	buf_fini(&p->server_in);
	buf_fini(&p->server_out);
	buf_fini(&p->client_in);
	buf_fini(&p->client_out);
	buf_fini(&p->server_plain);
	buf_fini(&p->client_plain);
}

bool tls_pair_carry(struct buf *from, struct buf *to, size_t n)
{
	if (n > from->len)
		n = from->len;
	if (n > buf_room(to))
		n = buf_room(to);
	if (n)
		buf_append(to, buf_head(from), n);
	buf_consume(from, n);
	return n > 0;
}

void tls_pair_shake(struct tls_pair *p, size_t n)
{
	enum tls_result server = TLS_NEED_INPUT, client = TLS_NEED_INPUT;

	for (int i = 0; i < 100000 && (server != TLS_OK || client != TLS_OK); i++) {
		client = tls_handshake(p->client);
		tls_pair_carry(&p->client_out, &p->server_in, n);
		server = tls_handshake(p->server);
		tls_pair_carry(&p->server_out, &p->client_in, n);
		assert_true(server != TLS_FAILED && client != TLS_FAILED);
	}
	assert_int_equal(server, TLS_OK);
	assert_int_equal(client, TLS_OK);
}
