/* Each row: the full file with one change outside of the listeners, and all that is said of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_file.h"
#include "fault_rows.h"

#define PATH_WANT "an absolute path of at most 512 octets"
#define FILE_WANT "the absolute path of a file that can be read"
#define HOOKS_WANT                                                                                 \
	"one of connect, ehlo, starttls, secure, auth, mail, rcpt, data, message, disconnect"
#define TOP_KNOWN                                                                                  \
	"known here: hostname, runtime_dir, spool_dir, workers, user, drain_timeout, "             \
	"drain_delay, retire_timeout, listeners, "                                                 \
	"tls, policies, deliveries, limits, resolver, events, log"
#define SERVER_WANT "an address: IPv4:port or [IPv6]:port"
#define CERTIFICATES                                                                               \
	"    - certificate: /etc/passwd\n      key: /etc/group\n"                                  \
	"    - certificate: /etc/profile\n      key: /etc/issue\n"
#define ONE_MORE   "    - {certificate: /etc/passwd, key: /etc/group}\n"
#define SIXTEEN	   EIGHT EIGHT
#define EIGHT	   ONE_MORE ONE_MORE ONE_MORE ONE_MORE ONE_MORE ONE_MORE ONE_MORE ONE_MORE
#define SIXTY_FIVE SIXTEEN SIXTEEN SIXTEEN SIXTEEN ONE_MORE

static const struct fault_row rows[] = {
	/* the top */
	{"hostname: MX1.example.org", "hostname: mx_1.example.org",
	 ":1: hostname: \"mx_1.example.org\" is not a domain name\n"},
	{"hostname: MX1.example.org", "hostname: 192.0.2.1",
	 ":1: hostname: \"192.0.2.1\" is not a domain name\n"},
	{"hostname: MX1.example.org", "hostname: example..org",
	 ":1: hostname: \"example..org\" is not a domain name\n"},
	{"hostname: MX1.example.org", "hostname: example.org.",
	 ":1: hostname: \"example.org.\" is not a domain name\n"},
	{"hostname: MX1.example.org", "hostname: -a.org",
	 ":1: hostname: \"-a.org\" is not a domain name\n"},
	{"hostname: MX1.example.org", "hostname: a-.org",
	 ":1: hostname: \"a-.org\" is not a domain name\n"},
	{"hostname: MX1.example.org", "hostname: \"" FIFTY TEN "aaaa\"",
	 ":1: hostname: \"" FIFTY TEN "aaaa\" is not a domain name\n"},
	{"hostname: MX1.example.org", "hostname:", ":1: hostname: \"\" is not a domain name\n"},
	{"hostname: MX1.example.org", "hostname: \"a\\nb\\e[31m\"",
	 ":1: hostname: \"a\\u000ab\\u001b[31m\" is not a domain name\n"},
	{"hostname: MX1.example.org", "hostname: \"a\\0b\"",
	 ":1: hostname: holds a NUL character; remove it\n"},
	{"hostname: MX1.example.org", "hostname: [a]",
	 ":1: hostname: must be one value, not a list or a mapping\n"},
	{"hostname: MX1.example.org", "hostname: {a: b}",
	 ":1: hostname: must be one value, not a list or a mapping\n"},
	{"hostname: MX1.example.org", "hostnam: x",
	 ":1: hostnam: unknown setting; did you mean hostname?\n"},
	{"hostname: MX1.example.org", "color: red", ":1: color: unknown setting; " TOP_KNOWN "\n"},
	{"hostname: MX1.example.org", "? [a, b]\n: [c, {d: e}]",
	 ":1: a list or a mapping cannot be a setting's name\n"},
	{"hostname: MX1.example.org", "user: nobody", ":5: user: set twice; remove one\n"},
	{"runtime_dir: /run/gp", "runtime_dir: run",
	 ":2: runtime_dir: \"run\" is not an absolute path of at most 90 octets\n"},
	{"runtime_dir: /run/gp", "runtime_dir: /" FIFTY TEN TEN TEN TEN,
	 ":2: runtime_dir: \"/" FIFTY TEN TEN TEN
	 "aa\" is not an absolute path of at most 90 octets\n"},
	{"spool_dir: /var/gp-spool", "spool_dir: ~", ":3: spool_dir: \"~\" is not " PATH_WANT "\n"},
	{"workers: 3", "workers: 0", ":4: workers: \"0\" is not auto or a number from 1 to 256\n"},
	{"workers: 3", "workers: 257",
	 ":4: workers: \"257\" is not auto or a number from 1 to 256\n"},
	{"workers: 3", "workers: Auto",
	 ":4: workers: \"Auto\" is not auto or a number from 1 to 256\n"},
	{"workers: 3", "workers: -1",
	 ":4: workers: \"-1\" is not auto or a number from 1 to 256\n"},
	{"workers: 3", "workers: 99999999999999999999",
	 ":4: workers: \"99999999999999999999\" is not auto or a number from 1 to 256\n"},
	{"user: root", "user: 0", ":5: user: \"0\" is not the name of an account\n"},
	{"user: root", "user: a b", ":5: user: \"a b\" is not the name of an account\n"},
	{"drain_timeout: 7s", "drain_timeout: 7",
	 ":6: drain_timeout: \"7\" is not a time from 0s to 1h (units ms s m h d)\n"},
	{"drain_timeout: 7s", "drain_timeout: 61m",
	 ":6: drain_timeout: \"61m\" is not a time from 0s to 1h (units ms s m h d)\n"},
	/* tls */
	{"certificate: /etc/passwd", "certificate: /nowhere/a.pem",
	 ":30: tls.certificates[0].certificate: \"/nowhere/a.pem\" is not " FILE_WANT
	 ": No such file or directory\n"},
	{"certificate: /etc/passwd", "certificate: /etc",
	 ":30: tls.certificates[0].certificate: \"/etc\" is not " FILE_WANT ": Is a directory\n"},
	{"certificate: /etc/passwd", "certificate: mx1.pem",
	 ":30: tls.certificates[0].certificate: \"mx1.pem\" is not " FILE_WANT "\n"},
	{"      key: /etc/group\n", "",
	 ":30: tls.certificates[0].key: missing; it must be " FILE_WANT "\n"},
	{"      key: /etc/issue\n", "",
	 ":32: tls.certificates[1].key: missing; it must be " FILE_WANT "\n"},
	{"certificate: /etc/profile", "certificate: /nowhere/b.pem",
	 ":32: tls.certificates[1].certificate: \"/nowhere/b.pem\" is not " FILE_WANT
	 ": No such file or directory\n"},
	{"  certificates:\n" CERTIFICATES, "  certificates: []\n",
	 ":29: tls.certificates: needs at least 1 entry\n"},
	{"  certificates:\n" CERTIFICATES, "  certificates:\n" SIXTY_FIVE,
	 ":94: tls.certificates: takes at most 64 entries; remove the rest\n"},
	{"  certificates:\n" CERTIFICATES, "",
	 ":10: listeners[0].tls: needs a certificate and its key; set them in tls.certificates\n"},
	{"client_ca: /etc/hosts", "client_ca: /nowhere/ca.pem",
	 ":34: tls.client_ca: \"/nowhere/ca.pem\" is not " FILE_WANT
	 ": No such file or directory\n"},
	{"min_version: 1.3", "min_version: \"1.1\"",
	 ":35: tls.min_version: \"1.1\" is not one of 1.2, 1.3\n"},
	{"min_version: 1.3", "min_version: 1",
	 ":35: tls.min_version: \"1\" is not one of 1.2, 1.3\n"},
	{"min_version: 1.3", "ciphers: ALL",
	 ":35: tls.ciphers: unknown setting; known here: certificates, client_ca, min_version\n"},
	/* policies */
	{"name: greylist", "name: scanner",
	 ":42: policies[1].name: \"scanner\" is already the name of policies[0]; change one\n"
	 ":22: listeners[0].policies[1]: nothing under policies is named \"greylist\"; "
	 "there is: scanner, scanner\n"},
	{"    sockets: [/run/grey/a.sock, /run/grey/b.sock]\n", "",
	 ":37: policies[0].sockets: missing; it must be an absolute path of at most 107 octets\n"},
	{"sockets: [/run/grey/a.sock, /run/grey/b.sock]", "sockets: []",
	 ":38: policies[0].sockets: needs at least 1 entry\n"},
	{"sockets: [/run/grey/a.sock, /run/grey/b.sock]", "sockets: [/a, unix:/b]",
	 ":38: policies[0].sockets[1]: \"unix:/b\" is not an absolute path of at most 107 "
	 "octets\n"},
	{"- /run/scan.sock", "- /" FIFTY FIFTY "aaaaaaa",
	 ":44: policies[1].sockets[0]: \"/" FIFTY TEN TEN TEN
	 "aa\" is not an absolute path of at most 107 octets\n"},
	{"hooks: [rcpt, data]", "hooks: [rcpt, dot]",
	 ":39: policies[0].hooks[1]: \"dot\" is not " HOOKS_WANT "\n"},
	{"hooks: [rcpt, data]", "hooks: []", ":39: policies[0].hooks: needs at least 1 entry\n"},
	{"timeout: 250ms", "timeout: 0s",
	 ":40: policies[0].timeout: \"0s\" is not a time from 10ms to 10m (units ms s m h d)\n"},
	{"timeout: 250ms", "timeout: -1s",
	 ":40: policies[0].timeout: \"-1s\" is not a time from 10ms to 10m (units ms s m h d)\n"},
	{"timeout: 250ms", "timeout: 1.5s",
	 ":40: policies[0].timeout: \"1.5s\" is not a time from 10ms to 10m (units ms s m h d)\n"},
	/* deliveries */
	{"    discard: true\n", "    discard: true\n    maildir: /m\n",
	 ":46: deliveries[0]: has more than one kind; keep one of maildir, discard\n"},
	{"    discard: true\n", "    discard: false\n",
	 ":46: deliveries[0]: has no kind; add one of maildir, smtp, lmtp, service, or discard: "
	 "true\n"},
	{"    discard: true\n", "",
	 ":46: deliveries[0]: has no kind; add one of maildir, smtp, lmtp, service, or discard: "
	 "true\n"},
	{"    discard: true\n", "    discard: true\n    webhook: x\n",
	 ":48: deliveries[0].webhook: unknown setting; known here: name, maildir, smtp, lmtp, "
	 "service, discard, order, tls, tls_name, tls_ca, show_client, user, password_file, "
	 "connections, reuse, idle, timeout, recipients\n"},
	{"maildir: /var/mail/gp", "maildir: mail",
	 ":49: deliveries[1].maildir: \"mail\" is not " PATH_WANT
	 ", in braces only domain or local\n"},
	/* limits, events, log */
	{"message_size: 50M", "message_size: 3G",
	 ":51: limits.message_size: \"3G\" is not a size from 1 to 2G (units K M G)\n"},
	{"message_size: 50M", "message_size: 50MB",
	 ":51: limits.message_size: \"50MB\" is not a size from 1 to 2G (units K M G)\n"},
	{"message_size: 50M", "message_size: 0",
	 ":51: limits.message_size: \"0\" is not a size from 1 to 2G (units K M G)\n"},
	{"recipients: 101", "recipients: 1e3",
	 ":52: limits.recipients: \"1e3\" is not a number from 1 to 100000\n"},
	{"connections: 102", "connections: 1000001",
	 ":53: limits.connections: \"1000001\" is not a number from 1 to 1000000\n"},
	{"errors: 103", "errors: 0",
	 ":54: limits.errors: \"0\" is not a number from 1 to 1000000\n"},
	{"commands: 104", "commands: 0x10",
	 ":55: limits.commands: \"0x10\" is not a number from 1 to 1000000\n"},
	{"messages: 105", "messages: none",
	 ":56: limits.messages: \"none\" is not a number from 1 to 1000000\n"},
	{"command_timeout: 106s", "command_timeout: 2d",
	 ":57: limits.command_timeout: \"2d\" is not a time from 100ms to 1d (units ms s m h d)\n"},
	{"data_timeout: 107s", "data_timeout: 99ms",
	 ":58: limits.data_timeout: \"99ms\" is not a time from 100ms to 1d (units ms s m h d)\n"},
	{"session_time: 108s", "session_time: 8d",
	 ":59: limits.session_time: \"8d\" is not a time from 1s to 7d (units ms s m h d)\n"},
	{"connections_per_client: 109", "connections_per_client: 0",
	 ":60: limits.connections_per_client: \"0\" is not a number from 1 to 1000000\n"},
	{"banner_wait: 2s", "banner_wait: 31s",
	 ":61: limits.banner_wait: \"31s\" is not a time from 0s to 30s (units ms s m h d)\n"},
	{"data_rate: 1K", "data_rate: 1025K",
	 ":62: limits.data_rate: \"1025K\" is not a size from 0 to 1M (units K M G)\n"},
	{"[\"127.0.0.1:5353\", \"[::1]:53\"]", "[127.0.0.1, \"[::1]:0\", \"unix:/run/dns\"]",
	 ":64: resolver.servers[0]: \"127.0.0.1\" is not " SERVER_WANT "\n"
	 ":64: resolver.servers[1]: \"[::1]:0\" is not " SERVER_WANT "\n"
	 ":64: resolver.servers[2]: \"unix:/run/dns\" is not " SERVER_WANT "\n"},
	{"[\"127.0.0.1:5353\", \"[::1]:53\"]", "[]",
	 ":64: resolver.servers: needs at least 1 entry\n"},
	{"[\"127.0.0.1:5353\", \"[::1]:53\"]", "[a, a, a, a, a, a, a, a, a]",
	 ":64: resolver.servers: takes at most 8 entries; remove the rest\n"},
	{"timeout: 500ms", "timeout: 0s",
	 ":65: resolver.timeout: \"0s\" is not a time from 100ms to 1m (units ms s m h d)\n"},
	{"events:\n  ring: 128K\n  subscribers: 9\n", "events:\n",
	 ":66: events: must hold settings, one `key: value` a line\n"},
	{"ring: 128K", "ring: 63K",
	 ":67: events.ring: \"63K\" is not a size from 64K to 16G (units K M G)\n"},
	{"subscribers: 9", "subscribers: many",
	 ":68: events.subscribers: \"many\" is not a number from 1 to 10000\n"},
	{"level: warning", "level: warn",
	 ":70: log.level: \"warn\" is not one of error, warning, info, debug\n"},
	{"format: json", "format: xml", ":71: log.format: \"xml\" is not one of text, json\n"},
	/* YAML */
	{"name: mx", "name: &mx mx",
	 ":8: anchors (&), aliases (*) and tags (!) are not read here; write the value itself, in "
	 "quotes if it starts so\n"},
	{"name: mx", "name: *mx",
	 ":8: anchors (&), aliases (*) and tags (!) are not read here; write the value itself, in "
	 "quotes if it starts so\n"},
	{"name: mx", "name: !!str mx",
	 ":8: anchors (&), aliases (*) and tags (!) are not read here; write the value itself, in "
	 "quotes if it starts so\n"},
	{"    delivery: store", "\tdelivery: store",
	 ":23: not valid YAML: a tab; indent with spaces\n"},
	{"  format: json\n", "  format: json\n---\nlog: {}\n",
	 ":72: a second document starts here; one file holds one\n"},
	{"  format: json\n", "  format: \"json\n",
	 ":72: not valid YAML: while scanning a quoted scalar, found unexpected end of stream\n"},
	{"  level: warning", " level: warning",
	 ":71: not valid YAML: mapping values are not allowed in this context\n"},
	{"user: root", "user: r\xf6\xf6t",
	 ":5: not a text file in UTF-8: invalid trailing UTF-8 octet\n"},
	{"user: root", "user: \x01",
	 ":5: not a text file in UTF-8: control characters are not allowed\n"},
	/* several at once */
	{"workers: 3\nuser: root\ndrain_timeout: 7s",
	 "workers: 0\nuser: root\ndrain_timeot: 7s\ncolour: red\nhostname: x",
	 ":6: drain_timeot: unknown setting; did you mean drain_timeout?\n"
	 ":7: colour: unknown setting; " TOP_KNOWN "\n"
	 ":8: hostname: set twice; remove one\n"},
	{"workers: 3\nuser: root\ndrain_timeout: 7s",
	 "workers: 0\nuser: root\ndrain_timeot: 7s\ncolour: red",
	 ":6: drain_timeot: unknown setting; did you mean drain_timeout?\n"
	 ":7: colour: unknown setting; " TOP_KNOWN "\n"
	 ":4: workers: \"0\" is not auto or a number from 1 to 256\n"},
};

static void test_rows(void **state)
{
	(void)state;
	assert_int_equal(fault_rows_broken(full_file, rows, sizeof rows / sizeof *rows), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
