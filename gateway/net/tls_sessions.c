#include "tls_sessions.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tls_identity.h"
#include "tls_tickets.h"

/* --- under what rules --- */

static void check(int done)
{
	if (done != 1)
		abort(); /* out of memory, as in mem_new() */
}

static void add_number(EVP_MD_CTX *digest, size_t n)
{
	check(EVP_DigestUpdate(digest, &n, sizeof n));
}

static void add_certificate(EVP_MD_CTX *digest, const X509 *certificate)
{
	unsigned char one[EVP_MAX_MD_SIZE];
	unsigned n;

	check(X509_digest(certificate, EVP_sha256(), one, &n));
	check(EVP_DigestUpdate(digest, one, n));
}

static void add_authorities(EVP_MD_CTX *digest, const SSL_CTX *ssl)
{
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ssl));

	for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
		const X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));

		if (certificate)
			add_certificate(digest, certificate);
	}
}

/* OpenSSL keeps this with the session and compares it when one is to be taken up. Without it, who
 * has a session of a listener that asks for nothing would be let in by one that requires a
 * certificate. */
static void set_rules(SSL_CTX *ssl, const struct tls_identity *identities, size_t identities_len)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	unsigned char rules[EVP_MAX_MD_SIZE];
	unsigned n;

	check(digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1);
	add_number(digest, (size_t)SSL_CTX_get_verify_mode(ssl));
	add_number(digest, identities_len);
	for (size_t i = 0; i < identities_len; i++)
		add_certificate(digest, identities[i].certificate);
	add_authorities(digest, ssl);
	check(EVP_DigestFinal_ex(digest, rules, &n));
	EVP_MD_CTX_free(digest);
	check(SSL_CTX_set_session_id_context(ssl, rules, n));
}

/* --- one session --- */

/* The time of the full handshake goes along in the ticket, and a session ends so long after that.
 * OpenSSL's own time of a session begins anew with each ticket of TLS 1.3, so that a certificate
 * verified once would be good for ever. */
static int on_seal(SSL *ssl, void *arg)
{
	SSL_SESSION *session = SSL_get_session(ssl);
	long now = SSL_SESSION_get_time(session), begun = now;
	void *data;
	size_t n;

	(void)arg;
	if (SSL_SESSION_get0_ticket_appdata(session, &data, &n) == 1 && n == sizeof begun)
		memcpy(&begun, data, sizeof begun);
	SSL_SESSION_set_timeout(session, TLS_TICKETS_SECONDS - (now - begun));
	return SSL_SESSION_set1_ticket_appdata(session, &begun, sizeof begun);
}

/* RFC 6066 3: a server must not take up a session for another name. OpenSSL does, and would then
 * report the name of old. The extension is a list of one name, after its length, the name's type
 * and the name's length; OpenSSL reads it after us and refuses what is not well formed. */
static bool has_same_name(SSL *ssl, const SSL_SESSION *session)
{
	const char *name = SSL_SESSION_get0_hostname(session);
	size_t name_len = name ? strlen(name) : 0, n;
	const unsigned char *sent;

	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &sent, &n))
		return !name;
	return name && n == 5 + name_len && memcmp(sent + 5, name, name_len) == 0;
}

/* It was when it was verified. */
static bool is_certificate_valid(SSL_SESSION *session)
{
	const X509 *certificate = SSL_SESSION_get0_peer(session);

	return !certificate || X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

/* What is not taken up leads to a full handshake and a new ticket. */
static SSL_TICKET_RETURN on_open(SSL *ssl, SSL_SESSION *session, const unsigned char *key_name,
				 size_t key_name_len, SSL_TICKET_STATUS status, void *arg)
{
	bool opened = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;

	(void)key_name, (void)key_name_len, (void)arg;
	if (!opened || !has_same_name(ssl, session) || !is_certificate_valid(session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	/* RFC 8446 C.4: who uses a ticket of TLS 1.3 twice can be followed, so clients forget it.
	 */
	if (status == SSL_TICKET_SUCCESS && SSL_version(ssl) != TLS1_3_VERSION)
		return SSL_TICKET_RETURN_USE;
	return SSL_TICKET_RETURN_USE_RENEW;
}

void tls_sessions_serve(SSL_CTX *ssl, struct tls_tickets *tickets,
			const struct tls_identity *identities, size_t identities_len)
{
	/* A cache would be one worker's own. */
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	set_rules(ssl, identities, identities_len);
	if (!tickets) {
		SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ssl, 0);
		return;
	}
	SSL_CTX_set_session_ticket_cb(ssl, on_seal, on_open, NULL);
	tls_tickets_serve(tickets, ssl);
}
