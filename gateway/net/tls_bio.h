/* tls_bio: lets OpenSSL read and write two `struct buf` instead of a socket. */
#ifndef NET_TLS_BIO_H
#define NET_TLS_BIO_H

#include "base/buf.h"

struct bio_st; /* OpenSSL's BIO */

struct tls_bio {
	struct buf *in, *out;
};

/* `pair` is borrowed and must outlive the BIO, which belongs to the caller. */
struct bio_st *tls_bio_new(struct tls_bio *pair);

#endif
