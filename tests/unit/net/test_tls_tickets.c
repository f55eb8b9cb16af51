#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certificate.h"
#include "expect.h"
#include "net/tls_context.h"
#include "net/tls_tickets.h"
#include "tls_client.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* Connects with `session` (taken over, NULL: none) and returns the next one. */
static SSL_SESSION *visit(struct tls_context *server, int version, SSL_SESSION *session,
			  bool *resumed)
{
	struct tls_client c;
	SSL_SESSION *next;

	tls_client_init(&c, server, version, "mx.example.com");
	if (session)
		SSL_set_session(c.ssl, session);
	SSL_SESSION_free(session);
	assert_int_equal(tls_client_shake(&c), TLS_OK);
	*resumed = SSL_session_reused(c.ssl);
	next = tls_client_session(&c);
	tls_client_fini(&c);
	return next;
}

/* The name of the key with which the session's ticket is sealed. */
static void key_name(const SSL_SESSION *session, unsigned char name[16])
{
	const unsigned char *ticket;
	size_t n;

	SSL_SESSION_get0_ticket(session, &ticket, &n);
	assert_true(n > 16);
	memcpy(name, ticket, 16);
}

static void test_rotation(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		for (int rotations = 0; rotations < 5; rotations++) {
			bool resumed;
			SSL_SESSION *session =
				visit(certificate_group, versions[i], NULL, &resumed);

			assert_false(resumed);
			for (int n = 0; n < rotations; n++)
				tls_tickets_rotate(certificate_tickets());
			session = visit(certificate_group, versions[i], session, &resumed);
			assert_int_equal(resumed, rotations < 2);
			SSL_SESSION_free(session);
		}
	}
}

/* A ticket of the key before is answered with one of the key of now, so who comes often enough
 * resumes for ever, and a key seals nothing after its time. */
static void test_old_ticket_is_replaced(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		unsigned char old[16], fresh[16];
		bool resumed;
		SSL_SESSION *session = visit(certificate_group, versions[i], NULL, &resumed);

		for (int visits = 0; visits < 5; visits++) {
			key_name(session, old);
			tls_tickets_rotate(certificate_tickets());
			session = visit(certificate_group, versions[i], session, &resumed);
			assert_true(resumed);
			key_name(session, fresh);
			assert_memory_not_equal(old, fresh, 16);
		}
		SSL_SESSION_free(session);
	}
}

/* Whether the keys' memory has the key of this name; they fill less than a page. */
static bool has_key(struct tls_tickets *tickets, const unsigned char name[16])
{
	return memmem(tickets, 4096, name, 16) != NULL;
}

/* Whoever reads the memory later shall not open what was recorded long ago. */
static void test_old_key_is_gone(void **state)
{
	unsigned char name[16];
	bool resumed;
	SSL_SESSION *session = visit(certificate_group, TLS1_2_VERSION, NULL, &resumed);

	(void)state;
	key_name(session, name);
	SSL_SESSION_free(session);
	tls_tickets_rotate(certificate_tickets());
	assert_true(has_key(certificate_tickets(), name));
	tls_tickets_rotate(certificate_tickets());
	assert_false(has_key(certificate_tickets(), name));
}

/* The mapping's line in smaps and those after it, up to its flags. */
static void test_no_core_dump_has_them(void **state)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	void *keys = certificate_tickets();
	char line[512];
	bool found = false, ours = false;

	(void)state;
	assert_non_null(maps);
	while (fgets(line, sizeof line, maps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			ours = (uintptr_t)keys >= from && (uintptr_t)keys < to;
		else if (ours && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, " dd") != NULL;
	}
	fclose(maps);
	assert_true(found);
}

static bool is_zero(const void *page)
{
	static const char zeros[4096];

	return memcmp(page, zeros, sizeof zeros) == 0;
}

/* Seen from a process that still has the memory. Its own farewell takes the keys from nobody. */
static void test_the_maker_overwrites_them(void **state)
{
	struct tls_tickets *keys = tls_tickets_new();
	const void *page = keys;
	int order[2], status;
	pid_t pid;
	char octet;

	(void)state;
	assert_int_equal(pipe(order), 0);
	pid = fork();
	if (!pid) {
		close(order[1]); /* so that it ends with this test, whatever becomes of that */
		_exit(read(order[0], &octet, 1) == 1 && is_zero(page) ? 0 : 1);
	}
	if (fork() == 0) {
		tls_tickets_free(&keys);
		_exit(0);
	}
	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
	assert_false(is_zero(page));
	tls_tickets_free(&keys);
	assert_null(keys);
	assert_int_equal(write(order[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(order[0]);
	close(order[1]);
}

/* One octet of it, whichever: no ticket is taken that was not sealed here. */
static void test_forged_ticket(void **state)
{
	bool resumed;
	SSL_SESSION *session = visit(certificate_group, TLS1_2_VERSION, NULL, &resumed);
	unsigned char *der = NULL;
	const unsigned char *ticket, *at;
	size_t n, places = 0;
	int length = i2d_SSL_SESSION(session, &der);
	unsigned char *found;

	(void)state;
	SSL_SESSION_get0_ticket(session, &ticket, &n);
	found = memmem(der, (size_t)length, ticket, n);
	assert_non_null(found);
	for (size_t i = 0; i < n; i += 7, places++) {
		SSL_SESSION *forged;

		found[i] ^= 0x40;
		at = der;
		forged = d2i_SSL_SESSION(NULL, &at, length);
		found[i] ^= 0x40;
		assert_non_null(forged);
		SSL_SESSION_free(visit(certificate_group, TLS1_2_VERSION, forged, &resumed));
		assert_false(resumed);
	}
	assert_true(places > 20);
	session = visit(certificate_group, TLS1_2_VERSION, session, &resumed);
	assert_true(resumed);
	SSL_SESSION_free(session);
	OPENSSL_free(der);
}

/* --- processes --- */

static void put(int fd, SSL_SESSION *session)
{
	unsigned char *der = NULL;
	int n = i2d_SSL_SESSION(session, &der);

	if (write(fd, &n, sizeof n) != sizeof n || write(fd, der, (size_t)n) != n)
		abort();
	OPENSSL_free(der);
	SSL_SESSION_free(session);
}

static SSL_SESSION *get(int fd)
{
	unsigned char der[8192];
	const unsigned char *at = der;
	int n;

	if (read(fd, &n, sizeof n) != sizeof n || n > (int)sizeof der ||
	    read(fd, der, (size_t)n) != n)
		abort();
	return d2i_SSL_SESSION(NULL, &at, n);
}

/* A worker. It reads '2' or '3' for a first visit with TLS 1.2 or 1.3, 'b' or 'c' and a session to
 * resume one, and writes whether that resumed and the new session. */
static void work(int in, int out)
{
	char wish;

	/* Not the end of the pipe: a worker started later holds its other end too. */
	while (read(in, &wish, 1) == 1 && wish != 'q') {
		int version = wish == '3' || wish == 'c' ? TLS1_3_VERSION : TLS1_2_VERSION;
		SSL_SESSION *session = wish == '2' || wish == '3' ? NULL : get(in);
		bool resumed;

		session = visit(certificate_group, version, session, &resumed);
		if (write(out, &resumed, sizeof resumed) != sizeof resumed)
			abort();
		put(out, session);
	}
	tls_context_free(&certificate_group);
}

struct worker {
	pid_t pid;
	int to, from;
};

static struct worker start(void)
{
	int to[2], from[2];
	struct worker w;

	assert_int_equal(pipe(to) | pipe(from), 0);
	w.pid = fork();
	if (!w.pid) {
		close(to[1]);
		close(from[0]);
		work(to[0], from[1]);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	w.to = to[1];
	w.from = from[0];
	return w;
}

static SSL_SESSION *ask(const struct worker *w, int version, SSL_SESSION *session, bool *resumed)
{
	bool is_1_3 = version == TLS1_3_VERSION;
	char wish = session ? (is_1_3 ? 'c' : 'b') : (is_1_3 ? '3' : '2');

	assert_int_equal(write(w->to, &wish, 1), 1);
	if (session)
		put(w->to, session);
	assert_int_equal(read(w->from, resumed, sizeof *resumed), sizeof *resumed);
	return get(w->from);
}

static void stop(const struct worker *w)
{
	int status;

	assert_int_equal(write(w->to, "q", 1), 1);
	close(w->to);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	assert_int_equal(status, 0);
	close(w->from);
}

/* Two workers and the master, each with its own heap; only the keys are shared. */
static void test_workers_share_the_keys(void **state)
{
	struct worker a = start(), b = start();

	(void)state;
	for (int i = 0; i < 2; i++) {
		bool resumed;
		SSL_SESSION *session = ask(&a, versions[i], NULL, &resumed);

		assert_false(resumed);
		session = ask(&b, versions[i], session, &resumed);
		assert_true(resumed);
		tls_tickets_rotate(certificate_tickets()); /* in the master */
		session = ask(&a, versions[i], session, &resumed);
		assert_true(resumed);
		tls_tickets_rotate(certificate_tickets());
		session = ask(&b, versions[i], session, &resumed);
		assert_true(resumed); /* for a has replaced it */
		tls_tickets_rotate(certificate_tickets());
		tls_tickets_rotate(certificate_tickets());
		session = ask(&a, versions[i], session, &resumed);
		assert_false(resumed);
		SSL_SESSION_free(session);
	}
	stop(&a);
	stop(&b);
}

/* The end of a worker takes nothing from the others, and a new one finds the keys of now. */
static void test_worker_started_later(void **state)
{
	struct worker a = start(), b;
	bool resumed;
	SSL_SESSION *session = NULL;

	(void)state;
	tls_tickets_rotate(certificate_tickets());
	session = ask(&a, TLS1_3_VERSION, NULL, &resumed);
	stop(&a);
	tls_tickets_rotate(certificate_tickets());
	b = start();
	session = ask(&b, TLS1_3_VERSION, session, &resumed);
	assert_true(resumed);
	session = visit(certificate_group, TLS1_3_VERSION, session, &resumed);
	assert_true(resumed);
	SSL_SESSION_free(session);
	stop(&b);
}

/* Visits in a worker while the master rotates as fast as it can: a handshake never fails. */
static void test_rotation_during_visits(void **state)
{
	struct worker a = start();
	bool resumed;
	pid_t master = getpid(), rotator = fork();
	int status;

	(void)state;
	if (!rotator) {
		while (getppid() == master)
			tls_tickets_rotate(certificate_tickets());
		_exit(0);
	}
	for (int i = 0; i < 100; i++) {
		SSL_SESSION *session = ask(&a, versions[i % 2], NULL, &resumed);

		assert_false(resumed);
		SSL_SESSION_free(ask(&a, versions[i % 2], session, &resumed));
	}
	kill(rotator, SIGKILL);
	assert_int_equal(waitpid(rotator, &status, 0), rotator);
	stop(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_old_ticket_is_replaced),
		cmocka_unit_test(test_old_key_is_gone),
		cmocka_unit_test(test_no_core_dump_has_them),
		cmocka_unit_test(test_the_maker_overwrites_them),
		cmocka_unit_test(test_forged_ticket),
		cmocka_unit_test(test_workers_share_the_keys),
		cmocka_unit_test(test_worker_started_later),
		cmocka_unit_test(test_rotation_during_visits),
	};

	return cmocka_run_group_tests(tests, certificate_set_up, certificate_tear_down);
}
