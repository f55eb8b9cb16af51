#include "tls_tickets.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"

#define TICKET_KEYS 3
#define TICKET_NAME 16 /* octets, as RFC 5077 section 4 recommends and OpenSSL expects */
#define TICKET_IV   16

struct ticket_key {
	unsigned char name[TICKET_NAME], cipher[32], mac[32];
};

struct tls_tickets {
	atomic_uint generation;
	pid_t maker;
	struct ticket_key keys[TICKET_KEYS];
};

static const struct ticket_key *key_at(const struct tls_tickets *t, unsigned generation)
{
	return &t->keys[generation % TICKET_KEYS];
}

struct tls_tickets *tls_tickets_new(void)
{
	struct tls_tickets *t =
		mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (t == MAP_FAILED)
		return NULL;
	/* A core dump with the keys in it would open every recorded session of their time, and so
	 * would a page on the swap device. The lock is this process's, but the page is everybody's.
	 */
	madvise(t, sizeof *t, MADV_DONTDUMP);
	if (mlock(t, sizeof *t) != 0)
		log_info("the keys of TLS tickets can be swapped out: %s", strerror(errno));
	t->maker = getpid();
	/* All of them: a previous key of zeros would let anybody forge a ticket. */
	if (RAND_priv_bytes((unsigned char *)t->keys, sizeof t->keys) != 1) {
		tls_tickets_free(&t);
		errno = EIO;
		return NULL;
	}
	atomic_init(&t->generation, 1);
	return t;
}

void tls_tickets_free(struct tls_tickets **tickets)
{
	if (!*tickets)
		return;
	if ((*tickets)->maker == getpid())
		OPENSSL_cleanse(*tickets, sizeof **tickets);
	munmap(*tickets, sizeof **tickets);
	*tickets = NULL;
}

void tls_tickets_rotate(struct tls_tickets *t)
{
	unsigned next = atomic_load_explicit(&t->generation, memory_order_relaxed) + 1;
	struct ticket_key fresh[2];

	if (RAND_priv_bytes((unsigned char *)fresh, sizeof fresh) != 1) {
		log_error("no random octets for a new ticket key; the old one stays");
		return;
	}
	/* A reader that slept since the last but one rotation finds a key mixed of two. Its ticket
	 * will not open, which costs a full handshake and nothing else. */
	t->keys[next % TICKET_KEYS] = fresh[0];
	atomic_store_explicit(&t->generation, next, memory_order_release);
	/* The key that has had its time. Not zeros: a reader that is just using it would take a
	 * ticket that anybody can seal. */
	t->keys[(next + 1) % TICKET_KEYS] = fresh[1];
	OPENSSL_cleanse(fresh, sizeof fresh);
}

static bool prepare(const struct ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
		    EVP_MAC_CTX *mac, int seal)
{
	unsigned char secret[sizeof key->mac];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, sizeof secret),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
		OSSL_PARAM_construct_end(),
	};
	bool done;

	memcpy(secret, key->mac, sizeof secret);
	done = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, seal) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
	OPENSSL_cleanse(secret, sizeof secret);
	return done;
}

/* 0: no ticket, or none of ours, so a full handshake; 1: go on; 2: resume and send a new one. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int seal)
{
	struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	unsigned generation = atomic_load_explicit(&t->generation, memory_order_acquire);

	if (seal) {
		const struct ticket_key *key = key_at(t, generation);

		if (RAND_bytes(iv, TICKET_IV) != 1)
			return 0;
		memcpy(name, key->name, sizeof key->name);
		return prepare(key, iv, cipher, mac, seal);
	}
	for (unsigned age = 0; age < 2; age++) {
		const struct ticket_key *key = key_at(t, generation - age);

		if (memcmp(name, key->name, sizeof key->name) == 0)
			return prepare(key, iv, cipher, mac, seal) ? 1 + (int)age : 0;
	}
	return 0;
}

void tls_tickets_serve(struct tls_tickets *tickets, SSL_CTX *ssl)
{
	SSL_CTX_set_app_data(ssl, tickets);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_ticket);
}
