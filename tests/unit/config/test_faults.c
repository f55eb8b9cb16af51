/* Each row: the full file with one change, and all that is said of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"

#define NAME_WANT    "a name of letters, digits, _ - and . (at most 64 octets)"
#define PATH_WANT    "an absolute path of at most 512 octets"
#define FILE_WANT    "the absolute path of a file that can be read"
#define ADDRESS_WANT "an address: IPv4:port, [IPv6]:port or unix:/path"
#define HOOKS_WANT   "one of connect, ehlo, starttls, secure, mail, rcpt, data, message, disconnect"
#define TOP_KNOWN                                                                                  \
	"known here: hostname, runtime_dir, spool_dir, workers, user, drain_timeout, listeners, "  \
	"tls, policies, deliveries, limits, events, log"
#define TEN   "aaaaaaaaaa"
#define FIFTY TEN TEN TEN TEN TEN

struct row {
	const char *find, *with, *faults;
};

static const struct row rows[] = {
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
	/* listeners */
	{"name: mx", "name: m x", ":8: listeners[0].name: \"m x\" is not " NAME_WANT "\n"},
	{"name: mx", "name: " FIFTY TEN "aaaaa",
	 ":8: listeners[0].name: \"" FIFTY TEN "aaaaa\" is not " NAME_WANT "\n"},
	{"name: mx", "name: local",
	 ":15: listeners[1].name: \"local\" is already the name of listeners[0]; change one\n"},
	{"name: mx\n    address", "address",
	 ":8: listeners[0].name: missing; it must be " NAME_WANT "\n"},
	{"  - name: mx\n", "  -\n    name: mx\n    nam: mx\n",
	 ":10: listeners[0].nam: unknown setting; did you mean name?\n"},
	{"    address: \"127.0.0.1:2525\"\n", "",
	 ":8: listeners[0].address: missing; it must be " ADDRESS_WANT "\n"},
	{"127.0.0.1:2525", "localhost:25",
	 ":9: listeners[0].address: \"localhost:25\" is not " ADDRESS_WANT "\n"},
	{"127.0.0.1:2525", "127.0.0.1",
	 ":9: listeners[0].address: \"127.0.0.1\" is not " ADDRESS_WANT "\n"},
	{"127.0.0.1:2525", "127.0.0.1:65536",
	 ":9: listeners[0].address: \"127.0.0.1:65536\" is not " ADDRESS_WANT "\n"},
	{"127.0.0.1:2525", "[::1:25",
	 ":9: listeners[0].address: \"[::1:25\" is not " ADDRESS_WANT "\n"},
	{"127.0.0.1:2525", "unix:smtp.sock",
	 ":9: listeners[0].address: \"unix:smtp.sock\" is not " ADDRESS_WANT "\n"},
	{"127.0.0.1:2525", "unix:/" FIFTY FIFTY "aaaaaaa",
	 ":9: listeners[0].address: \"unix:/" FIFTY TEN TEN "aaaaaaa\" is not " ADDRESS_WANT "\n"},
	{"127.0.0.1:2525", "unix:/run/gp/smtp.sock",
	 ":16: listeners[1].address: is already the address of listeners[0]; change one\n"},
	{"tls: starttls", "tls: startls",
	 ":10: listeners[0].tls: \"startls\" is not one of none, starttls, implicit\n"},
	{"tls: starttls", "tls: STARTTLS",
	 ":10: listeners[0].tls: \"STARTTLS\" is not one of none, starttls, implicit\n"},
	{"tls: starttls", "tls: start",
	 ":10: listeners[0].tls: \"start\" is not one of none, starttls, implicit\n"},
	{"tls: starttls", "tls: \"none starttls\"",
	 ":10: listeners[0].tls: \"none starttls\" is not one of none, starttls, implicit\n"},
	{"tls: starttls",
	 "tls:", ":10: listeners[0].tls: \"\" is not one of none, starttls, implicit\n"},
	{"tls: starttls", "tls: none",
	 ":11: listeners[0].require_tls: no client could ever send mail: set tls to starttls or "
	 "implicit\n"},
	{"require_tls: true", "require_tls: yes",
	 ":11: listeners[0].require_tls: \"yes\" is not one of false, true\n"},
	{"accept_domains: [example.org, Mail.Example.NET]", "accept_domains: example.org",
	 ":12: listeners[0].accept_domains: must be a list, one `- entry` a line or [entry, "
	 "entry]\n"},
	{"accept_domains: [example.org, Mail.Example.NET]",
	 "accept_domains:\n      - example.org\n      - \"*.example.org\"",
	 ":14: listeners[0].accept_domains[1]: \"*.example.org\" is not a domain name or any\n"},
	{"accept_domains: [example.org, Mail.Example.NET]",
	 "accept_domains:\n      - any\n      - example.org",
	 ":13: listeners[0].accept_domains[0]: any stands alone; remove it or the other entries\n"},
	{"accept_domains: [example.org, Mail.Example.NET]", "accept_domains: [a.org, ANY, any]",
	 ":12: listeners[0].accept_domains[1]: any stands alone; remove it or the other entries\n"},
	{"accept_domains: [example.org, Mail.Example.NET]", "accept_domains: [[a.org]]",
	 ":12: listeners[0].accept_domains[0]: must be one value, not a list or a mapping\n"},
	{"accept_domains: [example.org, Mail.Example.NET]", "accept_domain: [a.org]",
	 ":12: listeners[0].accept_domain: unknown setting; did you mean accept_domains?\n"},
	{"policies: [scanner, greylist]", "policies: [scanner, graylist]",
	 ":13: listeners[0].policies[1]: nothing under policies is named \"graylist\"; there is: "
	 "greylist, scanner\n"},
	{"policies: [scanner, greylist]", "policies: [scanner, scanner]",
	 ":13: listeners[0].policies[1]: named twice; remove one\n"},
	{"delivery: store", "delivery: stor",
	 ":14: listeners[0].delivery: nothing under deliveries is named \"stor\"; there is: "
	 "nowhere, store\n"},
	{"    delivery: store\n", "",
	 ":8: listeners[0].delivery: missing; it must be the name of a delivery\n"},
	{"    delivery: store\n", "    delivery: store\n    delivery: nowhere\n",
	 ":15: listeners[0].delivery: set twice; remove one\n"},
	{"    delivery: store\n", "    delivery: store\n    proxy_protocol: []\n",
	 ":15: listeners[0].proxy_protocol: unknown setting; known here: name, address, tls, "
	 "require_tls, accept_domains, policies, delivery\n"},
	{"  - name: local\n", "  - just text\n  - name: local\n",
	 ":15: listeners[1]: must hold settings, one `key: value` a line\n"},
	/* tls */
	{"certificate: /etc/passwd", "certificate: /nowhere/a.pem",
	 ":21: tls.certificates[0].certificate: \"/nowhere/a.pem\" is not " FILE_WANT
	 ": No such file or directory\n"},
	{"certificate: /etc/passwd", "certificate: /etc",
	 ":21: tls.certificates[0].certificate: \"/etc\" is not " FILE_WANT ": Is a directory\n"},
	{"certificate: /etc/passwd", "certificate: mx1.pem",
	 ":21: tls.certificates[0].certificate: \"mx1.pem\" is not " FILE_WANT "\n"},
	{"      key: /etc/group\n", "",
	 ":21: tls.certificates[0].key: missing; it must be " FILE_WANT "\n"},
	{"      key: /etc/group\n", "      key: /etc/group\n    - certificate: /etc/passwd\n",
	 ":23: tls.certificates: takes at most 1 entry; remove the rest\n"},
	{"  certificates:\n    - certificate: /etc/passwd\n      key: /etc/group\n",
	 "  certificates: []\n", ":20: tls.certificates: needs at least 1 entry\n"},
	{"tls:\n  certificates:\n    - certificate: /etc/passwd\n      key: /etc/group\n", "",
	 ":10: listeners[0].tls: needs a certificate and its key; set them in tls.certificates\n"},
	{"  certificates:\n    - cert", "  min_version: \"1.2\"\n  certificates:\n    - cert",
	 ":20: tls.min_version: unknown setting; known here: certificates\n"},
	/* policies */
	{"name: greylist", "name: scanner",
	 ":29: policies[1].name: \"scanner\" is already the name of policies[0]; change one\n"
	 ":13: listeners[0].policies[1]: nothing under policies is named \"greylist\"; "
	 "there is: scanner, scanner\n"},
	{"    sockets: [/run/grey/a.sock, /run/grey/b.sock]\n", "",
	 ":24: policies[0].sockets: missing; it must be an absolute path of at most 107 octets\n"},
	{"sockets: [/run/grey/a.sock, /run/grey/b.sock]", "sockets: []",
	 ":25: policies[0].sockets: needs at least 1 entry\n"},
	{"sockets: [/run/grey/a.sock, /run/grey/b.sock]", "sockets: [/a, unix:/b]",
	 ":25: policies[0].sockets[1]: \"unix:/b\" is not an absolute path of at most 107 "
	 "octets\n"},
	{"- /run/scan.sock", "- /" FIFTY FIFTY "aaaaaaa",
	 ":31: policies[1].sockets[0]: \"/" FIFTY TEN TEN TEN
	 "aa\" is not an absolute path of at most 107 octets\n"},
	{"hooks: [rcpt, data]", "hooks: [rcpt, dot]",
	 ":26: policies[0].hooks[1]: \"dot\" is not " HOOKS_WANT "\n"},
	{"hooks: [rcpt, data]", "hooks: []", ":26: policies[0].hooks: needs at least 1 entry\n"},
	{"timeout: 250ms", "timeout: 0s",
	 ":27: policies[0].timeout: \"0s\" is not a time from 10ms to 10m (units ms s m h d)\n"},
	{"timeout: 250ms", "timeout: -1s",
	 ":27: policies[0].timeout: \"-1s\" is not a time from 10ms to 10m (units ms s m h d)\n"},
	{"timeout: 250ms", "timeout: 1.5s",
	 ":27: policies[0].timeout: \"1.5s\" is not a time from 10ms to 10m (units ms s m h d)\n"},
	{"on_failure: accept", "on_failure: {timeout: accept}",
	 ":28: policies[0].on_failure: must be one value, not a list or a mapping\n"},
	{"on_failure: accept", "on_failure: defer",
	 ":28: policies[0].on_failure: \"defer\" is not one of accept, tempfail, reject, "
	 "disconnect\n"},
	/* deliveries */
	{"    discard: true\n", "    discard: true\n    maildir: /m\n",
	 ":33: deliveries[0]: has two kinds; remove maildir or discard\n"},
	{"    discard: true\n", "    discard: false\n",
	 ":33: deliveries[0]: has no kind; add maildir: /path, or discard: true\n"},
	{"    discard: true\n", "",
	 ":33: deliveries[0]: has no kind; add maildir: /path, or discard: true\n"},
	{"    discard: true\n", "    discard: true\n    smtp: \"10.1.0.5:25\"\n",
	 ":35: deliveries[0].smtp: unknown setting; known here: name, maildir, discard\n"},
	{"maildir: /var/mail/gp", "maildir: mail",
	 ":36: deliveries[1].maildir: \"mail\" is not " PATH_WANT "\n"},
	/* limits, events, log */
	{"message_size: 50M", "message_size: 3G",
	 ":38: limits.message_size: \"3G\" is not a size from 1 to 2G (units K M G)\n"},
	{"message_size: 50M", "message_size: 50MB",
	 ":38: limits.message_size: \"50MB\" is not a size from 1 to 2G (units K M G)\n"},
	{"message_size: 50M", "message_size: 0",
	 ":38: limits.message_size: \"0\" is not a size from 1 to 2G (units K M G)\n"},
	{"recipients: 101", "recipients: 1e3",
	 ":39: limits.recipients: \"1e3\" is not a number from 1 to 100000\n"},
	{"connections: 102", "connections: 1000001",
	 ":40: limits.connections: \"1000001\" is not a number from 1 to 1000000\n"},
	{"errors: 103", "errors: 0",
	 ":41: limits.errors: \"0\" is not a number from 1 to 1000000\n"},
	{"commands: 104", "commands: 0x10",
	 ":42: limits.commands: \"0x10\" is not a number from 1 to 1000000\n"},
	{"messages: 105", "messages: none",
	 ":43: limits.messages: \"none\" is not a number from 1 to 1000000\n"},
	{"command_timeout: 106s", "command_timeout: 2d",
	 ":44: limits.command_timeout: \"2d\" is not a time from 100ms to 1d (units ms s m h d)\n"},
	{"data_timeout: 107s", "data_timeout: 99ms",
	 ":45: limits.data_timeout: \"99ms\" is not a time from 100ms to 1d (units ms s m h d)\n"},
	{"session_time: 108s", "session_time: 8d",
	 ":46: limits.session_time: \"8d\" is not a time from 1s to 7d (units ms s m h d)\n"},
	{"events:\n  ring: 128K\n  subscribers: 9\n", "events:\n",
	 ":47: events: must hold settings, one `key: value` a line\n"},
	{"ring: 128K", "ring: 63K",
	 ":48: events.ring: \"63K\" is not a size from 64K to 16G (units K M G)\n"},
	{"subscribers: 9", "subscribers: many",
	 ":49: events.subscribers: \"many\" is not a number from 1 to 10000\n"},
	{"level: warning", "level: warn",
	 ":51: log.level: \"warn\" is not one of error, warning, info, debug\n"},
	{"format: json", "format: xml", ":52: log.format: \"xml\" is not one of text, json\n"},
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
	 ":14: not valid YAML: a tab; indent with spaces\n"},
	{"  format: json\n", "  format: json\n---\nlog: {}\n",
	 ":53: a second document starts here; one file holds one\n"},
	{"  format: json\n", "  format: \"json\n",
	 ":53: not valid YAML: while scanning a quoted scalar, found unexpected end of stream\n"},
	{"  level: warning", " level: warning",
	 ":52: not valid YAML: mapping values are not allowed in this context\n"},
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

static bool row_holds(const struct row *row)
{
	char *text = config_file_replace(full_file, row->find, row->with);
	struct loaded loaded;
	bool good;

	config_file_load(text, strlen(text), &loaded);
	good = !loaded.config && loaded.error == 0 && strcmp(loaded.faults, row->faults) == 0;
	if (!good)
		print_error("row \"%s\" says\n%sand should say\n%s", row->with, loaded.faults,
			    row->faults);
	config_file_fini(&loaded);
	free(text);
	return good;
}

static void test_rows(void **state)
{
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		bad += !row_holds(&rows[i]);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
