/* The settings of deliveries: what each becomes, and its default. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_file.h"
#include "deliveries_file.h"
#include "fault_rows.h"

static const struct config *load_good(const char *text, struct loaded *loaded)
{
	config_file_load(text, strlen(text), loaded);
	assert_string_equal(loaded->faults, "");
	return loaded->config;
}

static void check_backend(const struct config_delivery *d)
{
	assert_int_equal(d->kind, CONFIG_DELIVERY_SMTP);
	assert_int_equal(d->smtp.len, 3);
	assert_string_equal(d->smtp.items[0], "10.1.0.5:25");
	assert_string_equal(d->smtp.items[1], "[2001:db8::1]:25");
	assert_string_equal(d->smtp.items[2], "unix:/run/mta");
	assert_int_equal(d->lmtp.len, 0);
	assert_null(d->maildir);
	assert_false(d->discard);
	assert_int_equal(d->order, CONFIG_ORDER_ROUND_ROBIN);
	assert_int_equal(d->tls, CONFIG_DELIVERY_TLS_VERIFIED);
	assert_string_equal(d->tls_name, "mail.example.org");
	assert_string_equal(d->tls_ca, "/etc/hosts");
	assert_int_equal(d->show_client, CONFIG_SHOW_PROXY);
	assert_string_equal(d->user, "relay @ example");
	assert_string_equal(d->password_file, "se cret");
	assert_int_equal(d->connections, 7);
	assert_int_equal(d->reuse, 8);
	assert_true(d->idle == 9);
	assert_true(d->timeout == 10);
}

static void check_store(const struct config_delivery *d)
{
	assert_int_equal(d->kind, CONFIG_DELIVERY_LMTP);
	assert_int_equal(d->lmtp.len, 1);
	assert_string_equal(d->lmtp.items[0], "unix:/run/dovecot/lmtp");
	assert_int_equal(d->smtp.len, 0);
	assert_int_equal(d->recipients, 5);
	assert_int_equal(d->show_client, CONFIG_SHOW_XCLIENT);
}

static void check_defaults(const struct config_delivery *d)
{
	assert_int_equal(d->order, CONFIG_ORDER_FIRST);
	assert_int_equal(d->tls, CONFIG_DELIVERY_TLS_OPPORTUNISTIC);
	assert_null(d->tls_name);
	assert_null(d->tls_ca);
	assert_null(d->user);
	assert_null(d->password_file);
	assert_int_equal(d->connections, 50);
	assert_int_equal(d->reuse, 100);
	assert_true(d->idle == 30);
	assert_true(d->timeout == 60);
}

static void test_every_setting(void **state)
{
	char *text = deliveries_file_new();
	struct loaded loaded;
	const struct config *c = load_good(text, &loaded);

	(void)state;
	assert_int_equal(c->deliveries_len, 4);
	check_backend(&c->deliveries[0]);
	check_store(&c->deliveries[1]);
	assert_int_equal(c->deliveries[2].kind, CONFIG_DELIVERY_MAILDIR);
	assert_string_equal(c->deliveries[2].maildir, "/var/mail/{domain}/{local}/m");
	assert_int_equal(c->deliveries[3].kind, CONFIG_DELIVERY_SERVICE);
	assert_int_equal(c->deliveries[3].service, 1);
	assert_false(c->policies[0].delivers);
	assert_true(c->policies[1].delivers);
	assert_false(c->listeners[0].received_client);
	assert_true(c->listeners[1].received_client);
	config_file_fini(&loaded);
	deliveries_file_free(&text);
}

static void test_defaults(void **state)
{
	static const char text[] =
		"user: root\n"
		"listeners: [{name: a, address: \"[::1]:0\", delivery: d}]\n"
		"deliveries:\n"
		"  - {name: d, smtp: [\"127.0.0.1:25\"]}\n"
		"  - {name: e, lmtp: [\"127.0.0.1:24\"], user: u, password_file: PASSWORD}\n"
		"  - {name: f, discard: true}\n";
	char *path = secret_file_write("p", 1, 0400);
	char *file = config_file_replace(text, "PASSWORD", path);
	struct loaded loaded;
	const struct config *c = load_good(file, &loaded);

	(void)state;
	check_defaults(&c->deliveries[0]);
	assert_int_equal(c->deliveries[0].show_client, CONFIG_SHOW_NONE);
	assert_int_equal(c->deliveries[1].recipients, 1);
	assert_string_equal(c->deliveries[1].password_file, "p");
	assert_int_equal(c->deliveries[2].kind, CONFIG_DELIVERY_DISCARD);
	config_file_fini(&loaded);
	unlink(path);
	free(path);
	free(file);
}

/* A service may be named by two deliveries, and its failures may refuse by default. */
static void test_services(void **state)
{
	static const char text[] =
		"user: root\n"
		"listeners:\n"
		"  - {name: a, address: \"[::1]:0\", delivery: d, policies: [p, s]}\n"
		"  - {name: b, address: \"[::1]:0\", delivery: e, policies: [s]}\n"
		"  - {name: c, address: \"[::1]:0\", delivery: f, policies: [p]}\n"
		"policies: [{name: p, sockets: [/p]}, {name: s, sockets: [/s]}]\n"
		"deliveries:\n"
		"  - {name: d, service: s}\n"
		"  - {name: e, service: s, discard: false}\n"
		"  - {name: f, discard: true}\n";
	struct loaded loaded;
	const struct config *c = load_good(text, &loaded);

	(void)state;
	assert_int_equal(c->deliveries[0].service, 1);
	assert_int_equal(c->deliveries[1].service, 1);
	assert_true(c->policies[1].delivers);
	assert_false(c->policies[0].delivers);
	config_file_fini(&loaded);
}

/* --- password_file --- */

struct secret_row {
	const char *data;
	size_t len;
	unsigned mode;
	bool good;
};

#define ROW(text, mode, good)                                                                      \
	{                                                                                          \
		text, sizeof text - 1, mode, good                                                  \
	}
#define LONGEST FIFTY FIFTY FIFTY FIFTY FIFTY "aaaaa"

static const struct secret_row secret_rows[] = {
	ROW("secret", 0600, true),
	ROW("secret\n", 0440, true),
	ROW(" s\"p \n", 0660, true),
	ROW("p\303\244ss\n", 0600, true),
	ROW(LONGEST "\n", 0600, true),
	ROW(LONGEST, 0600, true),
	ROW("secret", 0604, false),
	ROW("secret", 0602, false),
	ROW("", 0600, false),
	ROW("\n", 0600, false),
	ROW("a\nb\n", 0600, false),
	ROW("secret\n\n", 0600, false),
	ROW("secret\r\n", 0600, false),
	ROW("sec\0ret\n", 0600, false),
	ROW("s\tp", 0600, false),
	ROW("s\177p", 0600, false),
	ROW(LONGEST "a", 0600, false),
	ROW(LONGEST "a\n", 0600, false),
	ROW(LONGEST "\n\n", 0600, false),
	ROW(LONGEST LONGEST, 0600, false),
};

static const char secret_text[] =
	"user: root\n"
	"listeners: [{name: a, address: \"[::1]:0\", delivery: d}]\n"
	"deliveries: [{name: d, smtp: [\"127.0.0.1:25\"], user: u, password_file: PASSWORD}]\n";

static void load_with(const char *path, struct loaded *loaded)
{
	char *text = config_file_replace(secret_text, "PASSWORD", path);

	config_file_load(text, strlen(text), loaded);
	free(text);
}

static void check_secret(const struct secret_row *row)
{
	char *path = secret_file_write(row->data, row->len, row->mode), faults[512];
	size_t len = row->len && row->data[row->len - 1] == '\n' ? row->len - 1 : row->len;
	struct loaded loaded;

	load_with(path, &loaded);
	snprintf(faults, sizeof faults,
		 ":3: deliveries[0].password_file: \"%s\" is not the absolute path of a file that "
		 "others cannot read, with a password as its one line\n",
		 path);
	assert_string_equal(loaded.faults, row->good ? "" : faults);
	if (row->good) {
		const char *secret = loaded.config->deliveries[0].password_file;

		assert_int_equal(strlen(secret), len);
		assert_memory_equal(secret, row->data, len);
	}
	config_file_fini(&loaded);
	unlink(path);
	free(path);
}

static void test_secrets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof secret_rows / sizeof *secret_rows; i++)
		check_secret(&secret_rows[i]);
}

static void test_secrets_that_are_no_files(void **state)
{
	char *fifo = secret_file_write("", 0, 0600);
	const char *const paths[] = {fifo, "/dev/null", "/tmp", "relay.password"};
	struct loaded loaded;

	(void)state;
	unlink(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		load_with(paths[i], &loaded);
		assert_non_null(strstr(loaded.faults, "deliveries[0].password_file: \""));
		config_file_fini(&loaded);
	}
	unlink(fifo);
	free(fifo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_setting),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_secrets_that_are_no_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
