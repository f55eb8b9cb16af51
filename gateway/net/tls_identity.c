#include "tls_identity.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* OpenSSL would ask on the terminal of the daemon. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static const char *reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_error());

	return text ? text : "no valid PEM";
}

bool tls_identity_can_read(const char *path, const char *what, char *error, size_t size)
{
	if (!access(path, R_OK))
		return true;
	snprintf(error, size, "cannot read the %s %s: %s", what, path, strerror(errno));
	return false;
}

static bool load_certificate(SSL_CTX *ssl, const char *path, char *error, size_t size)
{
	if (!tls_identity_can_read(path, "certificate", error, size))
		return false;
	if (SSL_CTX_use_certificate_chain_file(ssl, path) == 1)
		return true;
	snprintf(error, size,
		 "%s holds no usable certificate (%s): it must be PEM, the server's certificate "
		 "first, then the intermediate ones",
		 path, reason());
	return false;
}

static bool key_mismatch(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_X509 &&
	       ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH;
}

static bool load_key(SSL_CTX *ssl, const struct tls_certificate *files, char *error, size_t size)
{
	if (!tls_identity_can_read(files->key, "key", error, size))
		return false;
	if (SSL_CTX_use_PrivateKey_file(ssl, files->key, SSL_FILETYPE_PEM) != 1 &&
	    !key_mismatch()) {
		snprintf(error, size,
			 "%s holds no usable private key (%s): it must be PEM without a passphrase",
			 files->key, reason());
		return false;
	}
	if (SSL_CTX_check_private_key(ssl) == 1)
		return true;
	snprintf(error, size,
		 "the key %s does not belong to the certificate %s: give the key with which the "
		 "certificate was requested",
		 files->key, files->certificate);
	return false;
}

static void take(struct tls_identity *identity, SSL_CTX *ssl)
{
	STACK_OF(X509) *chain = NULL;

	identity->certificate = SSL_CTX_get0_certificate(ssl);
	identity->key = SSL_CTX_get0_privatekey(ssl);
	X509_up_ref(identity->certificate);
	EVP_PKEY_up_ref(identity->key);
	SSL_CTX_get0_chain_certs(ssl, &chain);
	identity->chain = chain ? X509_chain_up_ref(chain) : NULL;
}

bool tls_identity_load(struct tls_identity *identity, const struct tls_certificate *files,
		       char *error, size_t size)
{
	/* Of its own, because an SSL_CTX holds only one certificate for each kind of key. */
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	bool loaded;

	*identity = (struct tls_identity){0};
	if (!ssl) {
		snprintf(error, size, "OpenSSL does not start: %s", reason());
		return false;
	}
	ERR_clear_error();
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	loaded = load_certificate(ssl, files->certificate, error, size) &&
		 load_key(ssl, files, error, size);
	if (loaded)
		take(identity, ssl);
	SSL_CTX_free(ssl);
	ERR_clear_error();
	return loaded;
}

void tls_identity_fini(struct tls_identity *identity)
{
	X509_free(identity->certificate);
	EVP_PKEY_free(identity->key);
	sk_X509_pop_free(identity->chain, X509_free);
	*identity = (struct tls_identity){0};
}

bool tls_identity_is(const struct tls_identity *identity, const char *name, bool wildcards)
{
	/* "mx*.example.com" is no wildcard: RFC 6125 6.4.3 leaves it to us, and nobody issues it.
	 */
	unsigned flags =
		wildcards ? X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS : X509_CHECK_FLAG_NO_WILDCARDS;

	return X509_check_host(identity->certificate, name, 0, flags, NULL) == 1;
}

static char *copy_text(const ASN1_STRING *string)
{
	unsigned char *text = NULL;
	int length = ASN1_STRING_to_UTF8(&text, string);
	char *copy = length > 0 ? mem_copy_bytes((char *)text, (size_t)length) : NULL;

	OPENSSL_free(text);
	return copy;
}

static char *first_dns_name(X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	char *found = NULL;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			found = copy_text(name->d.dNSName);
	}
	GENERAL_NAMES_free(names);
	return found;
}

char *tls_identity_first_name(const struct tls_identity *identity)
{
	char *found = first_dns_name(identity->certificate);
	X509_NAME *subject = X509_get_subject_name(identity->certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (found || at < 0)
		return found;
	return copy_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

bool tls_identity_use(const struct tls_identity *identity, SSL *ssl)
{
	return SSL_use_cert_and_key(ssl, identity->certificate, identity->key, identity->chain,
				    1) == 1;
}
