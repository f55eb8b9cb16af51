#include "tls_bio.h"

#include <openssl/bio.h>
#include <stdlib.h>
#include <string.h>

static int bio_read(BIO *bio, char *data, int size)
{
	struct buf *in = ((struct tls_bio *)BIO_get_data(bio))->in;
	size_t n = (size_t)size < in->len ? (size_t)size : in->len;

	BIO_clear_retry_flags(bio);
	if (!n) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(data, buf_head(in), n);
	buf_consume(in, n);
	return (int)n;
}

static int bio_write(BIO *bio, const char *data, int size)
{
	struct buf *out = ((struct tls_bio *)BIO_get_data(bio))->out;
	size_t n = (size_t)size < buf_room(out) ? (size_t)size : buf_room(out);

	BIO_clear_retry_flags(bio);
	if (!n) {
		BIO_set_retry_write(bio);
		return -1;
	}
	buf_append(out, data, n);
	return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command ==
	       BIO_CTRL_FLUSH; /* all else is not supported; flushing has nothing to do */
}

static const BIO_METHOD *method(void)
{
	static BIO_METHOD *m;

	if (m)
		return m;
	m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "struct buf");
	if (!m || !BIO_meth_set_read(m, bio_read) || !BIO_meth_set_write(m, bio_write) ||
	    !BIO_meth_set_ctrl(m, bio_ctrl))
		abort();
	return m;
}

BIO *tls_bio_new(struct tls_bio *pair)
{
	BIO *bio = BIO_new(method());

	if (!bio)
		abort(); /* out of memory, as in mem_new() */
	BIO_set_data(bio, pair);
	BIO_set_init(bio, 1);
	return bio;
}
