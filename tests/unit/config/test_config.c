/* What good files become: every setting, every default, and the printed defaults read back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_file.h"
#include "config/config_settings.h"
#include "deliveries_file.h"

static const char minimal[] = "user: root\n"
			      "listeners: [{name: a, address: \"[::1]:0\", delivery: d}]\n"
			      "deliveries: [{name: d, discard: true}]\n";

static struct config *load_good(const char *text, struct loaded *loaded)
{
	config_file_load(text, strlen(text), loaded);
	assert_string_equal(loaded->faults, "");
	return loaded->config;
}

static void assert_texts(const struct config_texts *texts, size_t len, const char *const *items)
{
	assert_int_equal(texts->len, len);
	for (size_t i = 0; i < len; i++)
		assert_string_equal(texts->items[i], items[i]);
}

static bool blocks_have(const struct config_blocks *blocks, const char *peer)
{
	struct address address;

	assert_true(address_parse(peer, &address));
	return address_blocks_have(blocks->items, blocks->len, &address);
}

static void check_peers(const struct config_listener *l)
{
	assert_int_equal(l->proxy_protocol.len, 2);
	assert_true(blocks_have(&l->proxy_protocol, "10.255.0.1:25"));
	assert_true(blocks_have(&l->proxy_protocol, "[2001:db8:ffff::1]:25"));
	assert_false(blocks_have(&l->proxy_protocol, "192.0.2.1:25"));
	assert_int_equal(l->xclient.len, 1);
	assert_true(blocks_have(&l->xclient, "192.0.2.1:25"));
	assert_false(blocks_have(&l->xclient, "192.0.2.2:25"));
	assert_int_equal(l->relay_clients.len, 1);
	assert_true(blocks_have(&l->relay_clients, "198.51.100.255:25"));
	assert_false(blocks_have(&l->relay_clients, "198.51.101.0:25"));
}

static void check_listeners(const struct config *c)
{
	const struct config_listener *mx = &c->listeners[0], *local = &c->listeners[1];

	assert_int_equal(c->listeners_len, 2);
	assert_string_equal(mx->name, "mx");
	assert_string_equal(mx->address, "127.0.0.1:2525");
	assert_int_equal(mx->tls, CONFIG_TLS_STARTTLS);
	assert_true(mx->require_tls);
	assert_texts(&mx->accept_domains, 2, (const char *[]){"example.org", "mail.example.net"});
	assert_false(mx->accept_any);
	check_peers(mx);
	assert_int_equal(mx->client_certificates, TLS_CLIENT_CERTIFICATES_REQUIRE);
	assert_true(mx->auth);
	assert_false(mx->resolve_names);
	assert_int_equal(mx->protocol, CONFIG_PROTOCOL_LMTP);
	assert_int_equal(mx->bare_newline, CONFIG_BARE_NEWLINE_ACCEPT);
	assert_int_equal(mx->policies_len, 2);
	assert_int_equal(mx->policies[0], 1);
	assert_int_equal(mx->policies[1], 0);
	assert_int_equal(mx->delivery, 1);
	assert_string_equal(local->name, "local");
	assert_string_equal(local->address, "unix:/run/gp/smtp.sock");
	assert_int_equal(local->tls, CONFIG_TLS_NONE);
	assert_false(local->require_tls);
	assert_int_equal(local->accept_domains.len, 0);
	assert_true(local->accept_any);
	assert_int_equal(local->policies_len, 0);
	assert_int_equal(local->delivery, 0);
}

static void check_services(const struct config *c)
{
	assert_int_equal(c->tls.certificates_len, 2);
	assert_string_equal(c->tls.certificates[0].certificate, "/etc/passwd");
	assert_string_equal(c->tls.certificates[0].key, "/etc/group");
	assert_string_equal(c->tls.certificates[1].certificate, "/etc/profile");
	assert_string_equal(c->tls.certificates[1].key, "/etc/issue");
	assert_string_equal(c->tls.client_ca, "/etc/hosts");
	assert_int_equal(c->tls.min_version, CONFIG_TLS_1_3);
	assert_texts(&c->resolver.servers, 2, (const char *[]){"127.0.0.1:5353", "[::1]:53"});
	assert_true(c->resolver.timeout == 0.5);
	assert_int_equal(c->policies_len, 2);
	assert_string_equal(c->policies[0].name, "greylist");
	assert_texts(&c->policies[0].sockets, 2,
		     (const char *[]){"/run/grey/a.sock", "/run/grey/b.sock"});
	assert_int_equal(c->policies[0].hooks, 1u << HOOK_RCPT | 1u << HOOK_DATA);
	assert_true(c->policies[0].timeout == 0.25);
	assert_int_equal(c->policies[0].on_failure, VERDICT_ACCEPT);
	assert_string_equal(c->policies[1].name, "scanner");
	assert_texts(&c->policies[1].sockets, 1, (const char *[]){"/run/scan.sock"});
	assert_int_equal(c->policies[1].hooks, ~0u);
	assert_true(c->policies[1].timeout == 3);
	assert_int_equal(c->policies[1].on_failure, VERDICT_TEMPFAIL);
	assert_int_equal(c->deliveries_len, 2);
	assert_string_equal(c->deliveries[0].name, "nowhere");
	assert_int_equal(c->deliveries[0].kind, CONFIG_DELIVERY_DISCARD);
	assert_null(c->deliveries[0].maildir);
	assert_true(c->deliveries[0].discard);
	assert_string_equal(c->deliveries[1].name, "store");
	assert_int_equal(c->deliveries[1].kind, CONFIG_DELIVERY_MAILDIR);
	assert_string_equal(c->deliveries[1].maildir, "/var/mail/gp");
	assert_false(c->deliveries[1].discard);
}

static void test_every_setting(void **state)
{
	struct loaded loaded;
	const struct config *c = load_good(full_file, &loaded);

	(void)state;
	assert_string_equal(c->hostname, "mx1.example.org");
	assert_string_equal(c->runtime_dir, "/run/gp");
	assert_string_equal(c->spool_dir, "/var/gp-spool");
	assert_int_equal(c->workers, 3);
	assert_string_equal(c->user, "root");
	assert_true(c->drain_timeout == 7);
	check_listeners(c);
	check_services(c);
	assert_int_equal(c->limits.message_size, 50 * 1024 * 1024);
	assert_int_equal(c->limits.recipients, 101);
	assert_int_equal(c->limits.connections, 102);
	assert_int_equal(c->limits.errors, 103);
	assert_int_equal(c->limits.commands, 104);
	assert_int_equal(c->limits.messages, 105);
	assert_true(c->limits.command_timeout == 106);
	assert_true(c->limits.data_timeout == 107);
	assert_true(c->limits.session_time == 108);
	assert_int_equal(c->limits.connections_per_client, 109);
	assert_true(c->limits.banner_wait == 2);
	assert_int_equal(c->limits.data_rate, 1024);
	assert_int_equal(c->events.ring, 128 * 1024);
	assert_int_equal(c->events.subscribers, 9);
	assert_int_equal(c->log.level, LOG_WARNING_LEVEL);
	assert_true(c->log.json);
	config_file_fini(&loaded);
}

static void check_defaults(const struct config *c)
{
	assert_string_equal(c->runtime_dir, "/run/gatepost");
	assert_string_equal(c->spool_dir, "/var/spool/gatepost");
	assert_true(c->drain_timeout == 30);
	assert_int_equal(c->listeners[0].tls, CONFIG_TLS_NONE);
	assert_false(c->listeners[0].require_tls);
	assert_int_equal(c->listeners[0].client_certificates, TLS_CLIENT_CERTIFICATES_NONE);
	assert_false(c->listeners[0].auth);
	assert_true(c->listeners[0].resolve_names);
	assert_true(c->listeners[0].received_client);
	assert_int_equal(c->listeners[0].protocol, CONFIG_PROTOCOL_SMTP);
	assert_int_equal(c->listeners[0].bare_newline, CONFIG_BARE_NEWLINE_REJECT);
	assert_int_equal(c->tls.min_version, CONFIG_TLS_1_2);
	assert_int_equal(c->limits.message_size, 25 * 1024 * 1024);
	assert_int_equal(c->limits.recipients, 1000);
	assert_int_equal(c->limits.connections, 10000);
	assert_int_equal(c->limits.errors, 10);
	assert_int_equal(c->limits.commands, 1000);
	assert_int_equal(c->limits.messages, 100);
	assert_true(c->limits.command_timeout == 300);
	assert_true(c->limits.data_timeout == 600);
	assert_true(c->limits.session_time == 3600);
	assert_int_equal(c->limits.connections_per_client, 50);
	assert_true(c->limits.banner_wait == 0);
	assert_int_equal(c->limits.data_rate, 100);
	assert_true(c->limits.message_time == 120);
	assert_int_equal(c->limits.spool, 1024 * 1024 * 1024);
	assert_true(c->resolver.timeout == 5);
	assert_int_equal(c->events.ring, 64 * 1024 * 1024);
	assert_int_equal(c->events.subscribers, 64);
	assert_int_equal(c->log.level, LOG_INFO_LEVEL);
	assert_false(c->log.json);
}

static void test_defaults(void **state)
{
	struct loaded loaded;
	const struct config *c = load_good(minimal, &loaded);
	char host[256] = "";
	cpu_set_t set;

	(void)state;
	check_defaults(c);
	gethostname(host, sizeof host - 1);
	assert_int_equal(strcasecmp(c->hostname, host), 0);
	sched_getaffinity(0, sizeof set, &set);
	assert_int_equal(c->workers, CPU_COUNT(&set));
	/* Secure by default: nobody said what to accept, so nothing is accepted. */
	assert_int_equal(c->listeners[0].accept_domains.len, 0);
	assert_false(c->listeners[0].accept_any);
	/* Nor does anybody speak for another, or relay. */
	assert_int_equal(c->listeners[0].proxy_protocol.len, 0);
	assert_int_equal(c->listeners[0].xclient.len, 0);
	assert_int_equal(c->listeners[0].relay_clients.len, 0);
	assert_int_equal(c->tls.certificates_len, 0);
	assert_null(c->tls.client_ca);
	assert_int_equal(c->resolver.servers.len, 0);
	assert_int_equal(c->policies_len, 0);
	config_file_fini(&loaded);
}

/* The printed text, with the settings behind "#" brought to life when `all`. */
static char *printed_defaults(bool all)
{
	char *text;
	size_t size, to = 0;
	FILE *out = open_memstream(&text, &size);

	config_print_defaults(out);
	fclose(out);
	for (size_t at = 0; all && at <= size; at++) {
		if (text[at] == '#' && (!at || text[at - 1] == '\n') && text[at + 1] != '#')
			at++;
		text[to++] = text[at];
		if (text[at] == '#') /* help: the whole line */
			while (text[at] && text[at] != '\n')
				text[to++] = text[++at];
	}
	return text;
}

static char *replace_and_free(char *text, const char *find, const char *with)
{
	char *out = config_file_replace(text, find, with);

	free(text);
	return out;
}

static void test_printed_defaults_load(void **state)
{
	char *text = printed_defaults(false);
	struct loaded loaded;

	(void)state;
	text = replace_and_free(text, "#user: gatepost", "user: root");
	text = replace_and_free(text, "#    maildir: ", "    maildir: ");
	check_defaults(load_good(text, &loaded));
	free(text);
	config_file_fini(&loaded);
}

/* Of the kinds only lmtp, which has every setting that another has, and tls as they need it. */
static char *whole_delivery(char *text, const char *password)
{
	text = replace_and_free(text, "    maildir: /var/mail/gatepost\n", "");
	text = replace_and_free(text, "    smtp: [\"10.1.0.5:25\"]\n", "");
	text = replace_and_free(text, "    service: scanner\n", "");
	text = replace_and_free(text, "tls: opportunistic\n", "tls: verified\n");
	text = replace_and_free(text, "/etc/gatepost/tls/servers.pem", "/etc/hosts");
	return replace_and_free(text, "/etc/gatepost/relay.password", password);
}

static void check_delivery(const struct config_delivery *d)
{
	assert_int_equal(d->kind, CONFIG_DELIVERY_LMTP);
	assert_string_equal(d->lmtp.items[0], "unix:/run/dovecot/lmtp");
	assert_string_equal(d->tls_name, "mail.example.org");
	assert_string_equal(d->user, "relay");
	assert_string_equal(d->password_file, "secret");
	assert_int_equal(d->recipients, 1);
}

static void test_printed_defaults_load_whole(void **state)
{
	char *text = printed_defaults(true), *password = secret_file_write("secret\n", 7, 0600);
	struct loaded loaded;
	const struct config *c;

	(void)state;
	text = replace_and_free(text, "user: gatepost", "user: root");
	text = replace_and_free(text, "/etc/gatepost/tls/mx1.pem", "/etc/passwd");
	text = replace_and_free(text, "/etc/gatepost/tls/mx1.key", "/etc/group");
	text = replace_and_free(text, "/etc/gatepost/tls/clients.pem", "/etc/hosts");
	text = replace_and_free(text, "uid: greylist", "uid: root");
	text = replace_and_free(text, "uids: [siem]", "uids: [root]");
	text = whole_delivery(text, password);
	c = load_good(text, &loaded);
	check_defaults(c);
	assert_string_equal(c->hostname, "mx1.example.org");
	assert_texts(&c->listeners[0].accept_domains, 1, (const char *[]){"example.org"});
	assert_int_equal(c->listeners[0].proxy_protocol.len, 1);
	assert_int_equal(c->listeners[0].xclient.len, 1);
	assert_int_equal(c->listeners[0].relay_clients.len, 1);
	assert_string_equal(c->tls.certificates[0].key, "/etc/group");
	assert_string_equal(c->tls.client_ca, "/etc/hosts");
	assert_string_equal(c->resolver.servers.items[0], "127.0.0.1:53");
	assert_int_equal(c->listeners[0].policies_len, 1);
	assert_string_equal(c->policies[0].name, "greylist");
	assert_int_equal(c->policies[0].failures_len, 1);
	assert_int_equal(c->policies[0].actions[HOOK_RCPT][FAILURE_TIMEOUT], VERDICT_QUARANTINE);
	assert_int_equal(c->policies[0].actions[HOOK_RCPT][FAILURE_LOST], VERDICT_TEMPFAIL);
	check_delivery(&c->deliveries[0]);
	unlink(password);
	free(password);
	free(text);
	config_file_fini(&loaded);
}

static void test_printed_defaults_are_complete(void **state)
{
	char *text = printed_defaults(false), line[256];

	(void)state;
	for (size_t i = 0; i < SETTINGS_MAX; i++) {
		for (size_t j = 0; j < setting_groups[i].len; j++) {
			const struct setting *s = &setting_groups[i].settings[j];

			snprintf(line, sizeof line, "%s: %s\n", s->key, s->text);
			if (!strstr(text, line) || !strstr(text, s->help))
				fail_msg("%s is not printed", s->key);
		}
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_setting),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_printed_defaults_load),
		cmocka_unit_test(test_printed_defaults_load_whole),
		cmocka_unit_test(test_printed_defaults_are_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
