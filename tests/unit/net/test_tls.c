#include <stdlib.h>
#include <string.h>

#include "certificate.h"
#include "expect.h"
#include "net/tls_context.h"
#include "tls_pair.h"

static void exchange(struct tls_pair *p, const char *text)
{
	struct buf plain;

	buf_init(&plain, TLS_PAIR_MAX);
	buf_append_string(&plain, text);
	assert_int_equal(tls_write(p->client, &plain), TLS_OK);
	assert_int_equal(plain.len, 0);
	for (int i = 0; i < 1000 && p->server_plain.len < strlen(text); i++) {
		tls_pair_carry(&p->client_out, &p->server_in, 100);
		assert_int_equal(tls_read(p->server, &p->server_plain), TLS_NEED_INPUT);
	}
	assert_int_equal(p->server_plain.len, strlen(text));
	assert_memory_equal(buf_head(&p->server_plain), text, strlen(text));
	buf_consume(&p->server_plain, p->server_plain.len);
	buf_fini(&plain);
}

static void test_facts(void **state)
{
	struct tls_pair p;

	(void)state;
	tls_pair_init(&p, certificate_group, TLS_PAIR_MAX);
	assert_null(tls_sni(p.server));
	tls_pair_shake(&p, TLS_PAIR_MAX);
	assert_string_equal(tls_version(p.server), "TLSv1.3");
	assert_string_equal(tls_cipher(p.server), "TLS_AES_256_GCM_SHA384");
	assert_int_equal(tls_bits(p.server), 256);
	assert_string_equal(tls_sni(p.server), "mx.example.com");
	exchange(&p, "EHLO there\r\n");
	tls_pair_fini(&p);
}

static void test_without_server_name(void **state)
{
	struct tls_pair p;

	(void)state;
	tls_pair_init(&p, certificate_group, TLS_PAIR_MAX);
	tls_free(&p.client);
	p.client = tls_new_client(NULL, &p.client_in, &p.client_out);
	tls_pair_shake(&p, TLS_PAIR_MAX);
	assert_null(tls_sni(p.server));
	tls_pair_fini(&p);
}

static void test_pieces_of_every_size(void **state)
{
	static const size_t sizes[] = {1, 2, 3, 5, 7, 16, 100, 1000};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct tls_pair p;

		/* A network buffer of 100 octets also stops the server in the middle of its
		 * certificate. */
		tls_pair_init(&p, certificate_group, i % 2 ? 100 : TLS_PAIR_MAX);
		tls_pair_shake(&p, sizes[i]);
		exchange(&p, "MAIL FROM:<>\r\n");
		tls_pair_fini(&p);
	}
}

/* Cuts what the client says (both flights and a command) at octet `cut`; false when it is shorter.
 */
static bool split_at(size_t cut)
{
	struct tls_pair p;
	struct buf plain;
	size_t said = 0;

	tls_pair_init(&p, certificate_group, TLS_PAIR_MAX);
	buf_init(&plain, TLS_PAIR_MAX);
	buf_append_string(&plain, "NOOP\r\n");
	while (p.server_plain.len < 6) {
		size_t n;

		if (tls_handshake(p.client) == TLS_OK)
			tls_write(p.client, &plain);
		n = said < cut ? cut - said : TLS_PAIR_MAX;
		said += n < p.client_out.len ? n : p.client_out.len;
		tls_pair_carry(&p.client_out, &p.server_in, n);
		if (tls_handshake(p.server) == TLS_OK)
			assert_int_equal(tls_read(p.server, &p.server_plain), TLS_NEED_INPUT);
		tls_pair_carry(&p.server_out, &p.client_in, TLS_PAIR_MAX);
	}
	assert_memory_equal(buf_head(&p.server_plain), "NOOP\r\n", 6);
	buf_fini(&plain);
	tls_pair_fini(&p);
	return cut < said;
}

static void test_every_split(void **state)
{
	size_t cut = 1;

	(void)state;
	while (split_at(cut))
		cut++;
	assert_true(cut > 300); /* a ClientHello and a Finished at least */
}

/* 300,000 octets from the server through a small network buffer into a small plain one. */
static void test_ceilings(void **state)
{
	struct tls_pair p;
	struct buf plain, small;
	size_t got = 0, total = 300000;

	(void)state;
	tls_pair_init(&p, certificate_group, 5000);
	tls_pair_shake(&p, TLS_PAIR_MAX);
	buf_init(&plain, TLS_PAIR_MAX);
	buf_init(&small, 777);
	for (size_t i = 0; i < total; i++)
		buf_append(&plain, &(char){(char)(i % 251)}, 1);
	while (got < total) {
		assert_int_equal(tls_write(p.server, &plain), TLS_OK);
		assert_true(p.server_out.len <= 5000);
		tls_pair_carry(&p.server_out, &p.client_in, TLS_PAIR_MAX);
		while (tls_read(p.client, &small) == TLS_OK || small.len) {
			assert_true(small.len <= 777);
			for (size_t i = 0; i < small.len; i++)
				assert_int_equal((unsigned char)buf_head(&small)[i],
						 (got + i) % 251);
			got += small.len;
			buf_consume(&small, small.len);
		}
	}
	assert_int_equal(got, total);
	assert_int_equal(plain.len, 0);
	buf_fini(&plain);
	buf_fini(&small);
	tls_pair_fini(&p);
}

static void test_full_plain_buffer_keeps_the_rest(void **state)
{
	struct tls_pair p;
	struct buf four, plain;

	(void)state;
	tls_pair_init(&p, certificate_group, TLS_PAIR_MAX);
	tls_pair_shake(&p, TLS_PAIR_MAX);
	buf_init(&four, 4);
	buf_init(&plain, TLS_PAIR_MAX);
	buf_append_string(&plain, "abcdefghij");
	tls_write(p.client, &plain);
	tls_pair_carry(&p.client_out, &p.server_in, TLS_PAIR_MAX);
	assert_int_equal(tls_read(p.server, &four), TLS_OK);
	assert_int_equal(tls_read(p.server, &four), TLS_OK);
	assert_memory_equal(buf_head(&four), "abcd", 4);
	buf_consume(&four, 4);
	assert_int_equal(tls_read(p.server, &four), TLS_OK);
	assert_memory_equal(buf_head(&four), "efgh", 4);
	buf_consume(&four, 4);
	assert_int_equal(tls_read(p.server, &four), TLS_NEED_INPUT);
	assert_memory_equal(buf_head(&four), "ij", 2);
	buf_fini(&four);
	buf_fini(&plain);
	tls_pair_fini(&p);
}

static void test_idle_takes_no_plain_memory(void **state)
{
	struct tls_pair p;

	(void)state;
	tls_pair_init(&p, certificate_group, TLS_PAIR_MAX);
	tls_pair_shake(&p, TLS_PAIR_MAX);
	assert_int_equal(tls_read(p.server, &p.server_plain), TLS_NEED_INPUT);
	assert_null(p.server_plain.data);
	tls_pair_fini(&p);
}

static void test_close(void **state)
{
	struct tls_pair p;
	struct buf plain;

	(void)state;
	tls_pair_init(&p, certificate_group, TLS_PAIR_MAX);
	tls_pair_shake(&p, TLS_PAIR_MAX);
	buf_init(&plain, TLS_PAIR_MAX);
	buf_append_string(&plain, "QUIT\r\n");
	tls_write(p.client, &plain);
	tls_close(p.client);
	tls_pair_carry(&p.client_out, &p.server_in, TLS_PAIR_MAX);
	assert_int_equal(tls_read(p.server, &p.server_plain), TLS_CLOSED);
	assert_int_equal(p.server_plain.len, 6);
	assert_int_equal(tls_read(p.server, &p.server_plain), TLS_CLOSED);
	/* The other direction is still open: the last reply. */
	buf_append_string(&plain, "221 bye\r\n");
	assert_int_equal(tls_write(p.server, &plain), TLS_OK);
	tls_close(p.server);
	tls_pair_carry(&p.server_out, &p.client_in, TLS_PAIR_MAX);
	assert_int_equal(tls_read(p.client, &p.client_plain), TLS_CLOSED);
	assert_int_equal(p.client_plain.len, 9);
	buf_fini(&plain);
	tls_pair_fini(&p);
}

static void test_clear_text_instead_of_a_handshake(void **state)
{
	struct tls_pair p;

	(void)state;
	tls_pair_init(&p, certificate_group, TLS_PAIR_MAX);
	buf_append_string(&p.server_in, "EHLO client.example.com\r\n");
	assert_int_equal(tls_handshake(p.server), TLS_FAILED);
	assert_string_not_equal(tls_failure(p.server), "");
	assert_int_equal(tls_handshake(p.server), TLS_FAILED);
	assert_int_equal(tls_read(p.server, &p.server_plain), TLS_FAILED);
	assert_int_equal(tls_write(p.server, &p.server_plain), TLS_FAILED);
	tls_close(p.server);
	tls_pair_fini(&p);
}

static void test_forged_record(void **state)
{
	struct tls_pair p;
	struct buf plain;

	(void)state;
	tls_pair_init(&p, certificate_group, TLS_PAIR_MAX);
	tls_pair_shake(&p, TLS_PAIR_MAX);
	buf_init(&plain, TLS_PAIR_MAX);
	buf_append_string(&plain, "RCPT TO:<x@example.com>\r\n");
	tls_write(p.client, &plain);
	buf_head(&p.client_out)[20] ^= 1;
	tls_pair_carry(&p.client_out, &p.server_in, TLS_PAIR_MAX);
	assert_int_equal(tls_read(p.server, &p.server_plain), TLS_FAILED);
	assert_int_equal(p.server_plain.len, 0);
	assert_true(p.server_out.len > 0); /* the alert */
	buf_fini(&plain);
	tls_pair_fini(&p);
}

static void test_closing_before_the_handshake(void **state)
{
	struct tls_pair p;

	(void)state;
	tls_pair_init(&p, certificate_group, TLS_PAIR_MAX);
	tls_close(p.server);
	assert_int_equal(p.server_out.len, 0);
	tls_pair_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_without_server_name),
		cmocka_unit_test(test_pieces_of_every_size),
		cmocka_unit_test(test_every_split),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_full_plain_buffer_keeps_the_rest),
		cmocka_unit_test(test_idle_takes_no_plain_memory),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_clear_text_instead_of_a_handshake),
		cmocka_unit_test(test_forged_record),
		cmocka_unit_test(test_closing_before_the_handshake),
	};

	return cmocka_run_group_tests(tests, certificate_set_up, certificate_tear_down);
}
