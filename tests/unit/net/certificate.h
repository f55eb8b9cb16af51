/* certificate: certificates in files, made by the test itself. */
#ifndef TESTS_NET_CERTIFICATE_H
#define TESTS_NET_CERTIFICATE_H

#include <stdbool.h>

struct tls_context;
struct tls_tickets;

struct certificate {
	char folder[64], pem[96], key[96];
};

struct certificate_wish {
	const char *type;	/* "EC" (also when NULL) or "RSA" */
	const char *passphrase; /* encrypts the key file, or NULL */
	const char *subject;	/* the CN; NULL: "localhost" */
	const char *names;	/* subjectAltName as OpenSSL writes it, or NULL */
	bool expired;
	bool authority;			  /* may sign others */
	const struct certificate *issuer; /* NULL: self-signed */
};

void certificate_make(struct certificate *c, const char *type, const char *passphrase);
void certificate_make_as(struct certificate *c, const struct certificate_wish *wish);
void certificate_remove(struct certificate *c);
/* Ticket keys, the same ones in the whole test. */
struct tls_tickets *certificate_tickets(void);
/* A server context with those and with a certificate of its own. */
struct tls_context *certificate_context(void);
/* One for all tests of a group, with its set-up and tear-down. */
extern struct tls_context *certificate_group;
int certificate_set_up(void **state);
int certificate_tear_down(void **state);

#endif
