#include "certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/tls_context.h"
#include "net/tls_tickets.h"

static void check(int ok)
{
	if (!ok)
		abort();
}

static EVP_PKEY *make_key(const char *type)
{
	return type && !strcmp(type, "RSA") ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
					    : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

static X509 *read_certificate(const char *path)
{
	FILE *file = fopen(path, "r");
	X509 *x = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;

	check(x && !fclose(file));
	return x;
}

static EVP_PKEY *read_key(const char *path)
{
	FILE *file = fopen(path, "r");
	EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;

	check(key && !fclose(file));
	return key;
}

static void sign(X509 *x, EVP_PKEY *own, const struct certificate *issuer)
{
	X509 *ca = issuer ? read_certificate(issuer->pem) : NULL;
	EVP_PKEY *key = issuer ? read_key(issuer->key) : NULL;

	check(X509_set_issuer_name(x, X509_get_subject_name(ca ? ca : x)));
	check(X509_sign(x, key ? key : own, EVP_sha256()) > 0);
	X509_free(ca);
	EVP_PKEY_free(key);
}

static void extend(X509 *x, int id, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, id, value);

	check(extension && X509_add_ext(x, extension, -1));
	X509_EXTENSION_free(extension);
}

static X509 *make_certificate(EVP_PKEY *key, const struct certificate_wish *wish)
{
	static long serial;
	X509 *x = X509_new();
	const char *subject = wish->subject ? wish->subject : "localhost";

	check(X509_set_version(x, 2));
	check(ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial));
	check(X509_gmtime_adj(X509_getm_notBefore(x), -7200) != NULL);
	check(X509_gmtime_adj(X509_getm_notAfter(x), wish->expired ? -3600 : 86400) != NULL);
	check(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
					 (const unsigned char *)subject, -1, -1, 0));
	if (wish->names)
		extend(x, NID_subject_alt_name, wish->names);
	if (wish->authority)
		extend(x, NID_basic_constraints, "critical,CA:TRUE");
	check(X509_set_pubkey(x, key));
	sign(x, key, wish->issuer);
	return x;
}

void certificate_make_as(struct certificate *c, const struct certificate_wish *wish)
{
	EVP_PKEY *key = make_key(wish->type);
	X509 *x = make_certificate(key, wish);
	const char *secret = wish->passphrase;
	FILE *file;

	snprintf(c->folder, sizeof c->folder, "/tmp/gatepost-net-XXXXXX");
	check(mkdtemp(c->folder) != NULL);
	snprintf(c->pem, sizeof c->pem, "%s/pem", c->folder);
	snprintf(c->key, sizeof c->key, "%s/key", c->folder);
	file = fopen(c->pem, "w");
	check(file && PEM_write_X509(file, x) && !fclose(file));
	file = fopen(c->key, "w");
	check(file &&
	      PEM_write_PrivateKey(file, key, secret ? EVP_aes_128_cbc() : NULL,
				   (const unsigned char *)secret, secret ? (int)strlen(secret) : 0,
				   NULL, NULL) &&
	      !fclose(file));
	X509_free(x);
	EVP_PKEY_free(key);
}

void certificate_make(struct certificate *c, const char *type, const char *passphrase)
{
	certificate_make_as(c, &(struct certificate_wish){.type = type, .passphrase = passphrase});
}

void certificate_remove(struct certificate *c)
{
	unlink(c->pem);
	unlink(c->key);
	rmdir(c->folder);
}

struct tls_tickets *certificate_tickets(void)
{
	static struct tls_tickets *tickets;

	if (!tickets)
		tickets = tls_tickets_new();
	check(tickets != NULL);
	return tickets;
}

struct tls_context *certificate_context(void)
{
	struct certificate c;
	struct tls_context *context;
	char error[256];

	certificate_make(&c, "EC", NULL);
	context = tls_context_new(
		&(struct tls_settings){
			.certificates = &(struct tls_certificate){c.pem, c.key},
			.certificates_len = 1,
			.min_version = "1.2",
			.tickets = certificate_tickets(),
		},
		error, sizeof error);
	check(context != NULL);
	certificate_remove(&c);
	return context;
}

struct tls_context *certificate_group;

int certificate_set_up(void **state)
{
	(void)state;
	certificate_group = certificate_context();
	return 0;
}

int certificate_tear_down(void **state)
{
	(void)state;
	tls_context_free(&certificate_group);
	return 0;
}
