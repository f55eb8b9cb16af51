#include "tls_peer.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CUT_MARK "..."

/* The client writes its own names: RFC 2253 form with every control and non-ASCII octet escaped, so
 * that none can end a line of the log or stand in JSON as what it is not. */
static void print_name(const X509_NAME *name, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	size_t n;

	if (!bio)
		abort(); /* out of memory, as in mem_new() */
	if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0) {
		BIO_free(bio);
		return;
	}
	n = (size_t)BIO_get_mem_data(bio, &text);
	if (n < size) {
		if (n)
			memcpy(out, text, n);
		out[n] = '\0';
	} else { /* marked, lest a cut name be taken for another one's whole name */
		memcpy(out, text, size - sizeof CUT_MARK);
		memcpy(out + size - sizeof CUT_MARK, CUT_MARK, sizeof CUT_MARK);
	}
	BIO_free(bio);
}

/* "9F:31:...", as `openssl x509 -fingerprint -sha256` prints it. */
static void print_fingerprint(const X509 *certificate, char *out, size_t size)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (X509_digest(certificate, EVP_sha256(), digest, &n) != 1)
		abort();
	for (unsigned i = 0; i < n && 3 * i < size; i++)
		snprintf(out + 3 * i, size - 3 * i, "%02X%s", digest[i], i + 1 < n ? ":" : "");
}

struct tls_peer *tls_peer_new(SSL *ssl)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	struct tls_peer *peer;

	if (!certificate)
		return NULL;
	peer = mem_new(sizeof *peer);
	peer->present = true;
	peer->verified = SSL_get_verify_result(ssl) == X509_V_OK;
	print_name(X509_get_subject_name(certificate), peer->subject, sizeof peer->subject);
	print_name(X509_get_issuer_name(certificate), peer->issuer, sizeof peer->issuer);
	print_fingerprint(certificate, peer->fingerprint, sizeof peer->fingerprint);
	return peer;
}
