#include "certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/tls_context.h"

static void check(int ok)
{
	if (!ok)
		abort();
}

static EVP_PKEY *make_key(const char *type)
{
	return strcmp(type, "RSA") ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
				   : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
}

static X509 *make_certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);

	check(X509_set_version(x, 2));
	check(ASN1_INTEGER_set(X509_get_serialNumber(x), 1));
	check(X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL);
	check(X509_gmtime_adj(X509_getm_notAfter(x), 86400) != NULL);
	check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					 (const unsigned char *)"localhost", -1, -1, 0));
	check(X509_set_issuer_name(x, name));
	check(X509_set_pubkey(x, key));
	check(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

void certificate_make(struct certificate *c, const char *type, const char *passphrase)
{
	EVP_PKEY *key = make_key(type);
	X509 *x = make_certificate(key);
	FILE *file;

	snprintf(c->folder, sizeof c->folder, "/tmp/gatepost-net-XXXXXX");
	check(mkdtemp(c->folder) != NULL);
	snprintf(c->pem, sizeof c->pem, "%s/pem", c->folder);
	snprintf(c->key, sizeof c->key, "%s/key", c->folder);
	file = fopen(c->pem, "w");
	check(file && PEM_write_X509(file, x) && !fclose(file));
	file = fopen(c->key, "w");
	check(file &&
	      PEM_write_PrivateKey(file, key, passphrase ? EVP_aes_128_cbc() : NULL,
				   (const unsigned char *)passphrase,
				   passphrase ? (int)strlen(passphrase) : 0, NULL, NULL) &&
	      !fclose(file));
	X509_free(x);
	EVP_PKEY_free(key);
}

void certificate_remove(struct certificate *c)
{
	unlink(c->pem);
	unlink(c->key);
	rmdir(c->folder);
}

struct tls_context *certificate_context(void)
{
	struct certificate c;
	struct tls_context *context;
	char error[256];

	certificate_make(&c, "EC", NULL);
	context = tls_context_new(c.pem, c.key, error, sizeof error);
	check(context != NULL);
	certificate_remove(&c);
	return context;
}
