#include "mailer.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "net/reaper.h"

struct ev_loop *mailer_loop;
struct backend mailer_backends[2];
struct relay *mailer_relay;
struct relay_settings mailer_settings;

static ev_timer guard;
static unsigned sockets;

static unsigned count_sockets(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	unsigned n = 0;

	while ((entry = readdir(dir))) {
		char target[64] = "";

		n += readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1) > 0 &&
		     strncmp(target, "socket:", 7) == 0;
	}
	closedir(dir);
	return n;
}

static void on_guard(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

int mailer_set_up(void **state)
{
	(void)state;
	log_setup(LOG_ERROR_LEVEL, false, "test");
	sockets = count_sockets();
	mailer_loop = ev_loop_new(EVFLAG_AUTO);
	ev_timer_init(&guard, on_guard, 30., 0.);
	ev_timer_start(mailer_loop, &guard);
	for (size_t i = 0; i < 2; i++)
		backend_init(&mailer_backends[i], mailer_loop);
	mailer_settings = (struct relay_settings){
		.name = "backend",
		.connections = 5,
		.reuse = 100,
		.idle = 30,
		.timeout = 20,
		.hostname = "mx.example.org",
	};
	return 0;
}

int mailer_tear_down(void **state)
{
	(void)state;
	relay_free(&mailer_relay);
	for (size_t i = 0; i < 2; i++)
		backend_fini(&mailer_backends[i]);
	reaper_run(mailer_loop);
	/* Sockets that linger keep the loop running until they are closed. */
	ev_timer_stop(mailer_loop, &guard);
	ev_run(mailer_loop, 0);
	reaper_run(mailer_loop);
	ev_loop_destroy(mailer_loop);
	assert_int_equal(count_sockets(), sockets);
	return 0;
}

bool mailer_turn(void)
{
	ev_run(mailer_loop, EVRUN_ONCE);
	return ev_is_active(&guard);
}

void mailer_open(size_t backends, bool probed)
{
	const char *addresses[] = {mailer_backends[0].address, mailer_backends[1].address};
	struct relay_offer offer;
	char error[200] = "";

	mailer_settings.addresses = addresses;
	mailer_settings.addresses_len = backends;
	mailer_relay = relay_new(mailer_loop, &mailer_settings, error, sizeof error);
	assert_string_equal(error, "");
	assert_non_null(mailer_relay);
	if (!probed)
		return;
	mailer_until(mailer_backends[0].accepted >= 1 &&
		     (backends < 2 || mailer_backends[1].accepted >= 1) &&
		     (relay_offer(mailer_relay, &offer), offer.known));
}

void mailer_begin_from(struct mailer *m, const char *ip, unsigned port)
{
	static const struct hook_mailbox sender = {.address = {"s@example.com", 13}};
	static const struct hook_helo helo = {.verb = "EHLO", .name = {"client", 6}};
	struct hook_context context = {.client = {ip, port},
				       .listener = {"192.0.2.25", 25},
				       .helo = &helo,
				       .mail = &sender};

	memset(m, 0, sizeof *m);
	m->content = MAILER_CONTENT;
	m->size = strlen(MAILER_CONTENT);
	m->read_until = UINT64_MAX;
	m->transaction = relay_transaction_new(mailer_relay, &context);
}

void mailer_begin(struct mailer *m)
{
	mailer_begin_from(m, "192.0.2.1", 4711);
}

static void on_result(void *arg, const struct relay_result *result)
{
	struct mailer *m = arg;

	m->result = *result;
	m->results++;
	if (m->frees)
		relay_transaction_free(&m->transaction);
}

static void on_sent(void *arg, const struct relay_result *result,
		    const struct relay_result *recipients, size_t recipients_len)
{
	struct mailer *m = arg;

	m->each_len = recipients_len;
	for (size_t i = 0; i < recipients_len; i++)
		m->each[i] = recipients[i];
	on_result(m, result);
}

void mailer_ask_only(struct mailer *m, const char *recipient)
{
	struct hook_mailbox mailbox = {.address = {recipient, strlen(recipient)}};
	unsigned before = m->results;

	relay_transaction_recipient(m->transaction, &mailbox, on_result, m);
	assert_int_equal(m->results, before);
}

void mailer_ask(struct mailer *m, const char *recipient)
{
	unsigned before = m->results;

	mailer_ask_only(m, recipient);
	mailer_until(m->results > before);
}

static ssize_t read_content(void *arg, uint64_t offset, char *buffer, size_t size)
{
	struct mailer *m = arg;
	size_t n = m->size - (size_t)offset < size ? m->size - (size_t)offset : size;

	if (offset >= m->read_until) {
		errno = EIO;
		return -1;
	}
	memcpy(buffer, m->content + offset, n);
	return (ssize_t)n;
}

void mailer_send_only(struct mailer *m, const char *recipients)
{
	struct hook_mailbox sender = {.address = {"s@example.com", 13}}, to[4];
	struct relay_message message = {.id = "T1",
					.sender = &sender,
					.recipients = to,
					.prefix = MAILER_PREFIX,
					.size = m->size,
					.read = read_content};
	unsigned before = m->results;

	while (*recipients) {
		size_t n = strcspn(recipients, " ");

		to[message.recipients_len++] = (struct hook_mailbox){.address = {recipients, n}};
		recipients += n + (recipients[n] == ' ');
	}
	relay_transaction_send(m->transaction, &message, on_sent, m);
	assert_int_equal(m->results, before);
}

void mailer_send(struct mailer *m, const char *recipients)
{
	unsigned before = m->results;

	mailer_send_only(m, recipients);
	mailer_until(m->results > before);
}

void mailer_expect(const struct mailer *m, int code, const char *status, const char *text)
{
	assert_int_equal(m->result.code, code);
	assert_string_equal(m->result.status, status);
	assert_string_equal(m->result.text, text);
}

void mailer_deliver(void)
{
	struct mailer m;

	mailer_begin(&m);
	mailer_ask(&m, "a@example.org");
	mailer_expect(&m, 250, "2.0.0", "ok");
	mailer_send(&m, "a@example.org");
	mailer_expect(&m, 250, "2.0.0", "taken");
	assert_int_equal(m.results, 2);
	relay_transaction_free(&m.transaction);
}

bool mailer_message_is(const struct backend *b, const char *text)
{
	return b->message.len == strlen(text) &&
	       memcmp(buf_head(&b->message), text, b->message.len) == 0;
}
