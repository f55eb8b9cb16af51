/* What can be wrong with the settings of deliveries, alone and together: each row is the file with
 * one change, and all that is said of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "deliveries_file.h"
#include "fault_rows.h"

#define BACKEND_WANT  "an address: IPv4:port, [IPv6]:port or unix:/path"
#define TEMPLATE_WANT "an absolute path of at most 512 octets, in braces only domain or local"
#define NO_EFFECT                                                                                  \
	"has no effect, since no certificate is looked at: set tls to verified, or remove this"
#define LMTP_ONLY                                                                                  \
	"is for lmtp only, whose server answers for each recipient after the message; remove it"
#define RELAYS_ONLY "is for smtp and lmtp only; remove it"
#define OPEN_RELAY                                                                                 \
	"any, and a delivery that passes mail on, is an open relay: name your own domains"
#define LAST "the service of its delivery decides last: put its name at the end"
#define ELSEWHERE                                                                                  \
	"takes mail over, and the delivery here is another: remove it, or name a delivery whose "  \
	"service it is"
#define NEVER_TOOK                                                                                 \
	"mail that it never took over would get a 250: choose tempfail, reject or disconnect, or " \
	"let an entry of failures for message do so first"

static const struct fault_row settings[] = {
	{"10.1.0.5:25", "localhost:25",
	 ":28: deliveries[0].smtp[0]: \"localhost:25\" is not " BACKEND_WANT "\n"},
	{"10.1.0.5:25", "10.1.0.5",
	 ":28: deliveries[0].smtp[0]: \"10.1.0.5\" is not " BACKEND_WANT "\n"},
	{"10.1.0.5:25", "10.1.0.5:0",
	 ":28: deliveries[0].smtp[0]: \"10.1.0.5:0\" is not " BACKEND_WANT "\n"},
	{"unix:/run/mta", "unix:mta",
	 ":28: deliveries[0].smtp[2]: \"unix:mta\" is not " BACKEND_WANT "\n"},
	{"unix:/run/dovecot/lmtp", "[::1]",
	 ":41: deliveries[1].lmtp[0]: \"[::1]\" is not " BACKEND_WANT "\n"},
	{"unix:/run/mta", "10.1.0.5:25", ":28: deliveries[0].smtp[2]: named twice; remove one\n"},
	{"lmtp: [\"unix:/run/dovecot/lmtp\"]", "lmtp: [\"unix:/l\", \"unix:/l\"]",
	 ":41: deliveries[1].lmtp[1]: named twice; remove one\n"},
	{"smtp: [\"10.1.0.5:25\", \"[2001:db8::1]:25\", \"unix:/run/mta\"]", "smtp: []",
	 ":28: deliveries[0].smtp: needs at least 1 entry\n"},
	{"smtp: [\"10.1.0.5:25\", \"[2001:db8::1]:25\", \"unix:/run/mta\"]",
	 "smtp: [\"10.1.0.5:25\", a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a]",
	 ":28: deliveries[0].smtp: takes at most 16 entries; remove the rest\n"},
	{"smtp: [\"10.1.0.5:25\", \"[2001:db8::1]:25\", \"unix:/run/mta\"]",
	 "smtp: \"10.1.0.5:25\"",
	 ":28: deliveries[0].smtp: must be a list, one `- entry` a line or [entry, entry]\n"},
	{"lmtp: [\"unix:/run/dovecot/lmtp\"]", "lmtp: []",
	 ":41: deliveries[1].lmtp: needs at least 1 entry\n"},
	{"order: round_robin", "order: random",
	 ":29: deliveries[0].order: \"random\" is not one of first, round_robin\n"},
	{"tls: verified", "tls: starttls",
	 ":30: deliveries[0].tls: \"starttls\" is not one of none, opportunistic, verified\n"},
	{"tls_name: Mail.example.org", "tls_name: 10.1.0.5",
	 ":31: deliveries[0].tls_name: \"10.1.0.5\" is not a domain name\n"},
	{"tls_ca: /etc/hosts", "tls_ca: /nowhere/ca.pem",
	 ":32: deliveries[0].tls_ca: \"/nowhere/ca.pem\" is not the absolute path of a file that "
	 "can be read: No such file or directory\n"},
	{"show_client: proxy", "show_client: true",
	 ":33: deliveries[0].show_client: \"true\" is not one of none, xclient, proxy\n"},
	{"user: relay @ example", "user: \"\"",
	 ":34: deliveries[0].user: \"\" is not 1 to 255 printable characters of ASCII\n"},
	{"user: relay @ example", "user: \"a\\tb\"",
	 ":34: deliveries[0].user: \"a\\u0009b\" is not 1 to 255 printable characters of ASCII\n"},
	{"user: relay @ example", "user: rel\xc3\xa4y",
	 ":34: deliveries[0].user: \"rel\\u00c3\\u00a4y\" is not 1 to 255 printable characters of "
	 "ASCII\n"},
	{"user: relay @ example", "user: a" FIFTY FIFTY FIFTY FIFTY FIFTY "aaaaa",
	 ":34: deliveries[0].user: \"a" FIFTY TEN TEN TEN
	 "aa\" is not 1 to 255 printable characters of "
	 "ASCII\n"},
	{"connections: 7", "connections: 0",
	 ":36: deliveries[0].connections: \"0\" is not a number from 1 to 10000\n"},
	{"connections: 7", "connections: 10001",
	 ":36: deliveries[0].connections: \"10001\" is not a number from 1 to 10000\n"},
	{"reuse: 8", "reuse: 0",
	 ":37: deliveries[0].reuse: \"0\" is not a number from 1 to 1000000\n"},
	{"idle: 9s", "idle: 61m",
	 ":38: deliveries[0].idle: \"61m\" is not a time from 1s to 1h (units ms s m h d)\n"},
	{"idle: 9s", "idle: 0s",
	 ":38: deliveries[0].idle: \"0s\" is not a time from 1s to 1h (units ms s m h d)\n"},
	{"timeout: 10s", "timeout: 999ms",
	 ":39: deliveries[0].timeout: \"999ms\" is not a time from 1s to 10m (units ms s m h d)\n"},
	{"timeout: 10s", "timeout: 601s",
	 ":39: deliveries[0].timeout: \"601s\" is not a time from 1s to 10m (units ms s m h d)\n"},
	{"recipients: 5", "recipients: 0",
	 ":42: deliveries[1].recipients: \"0\" is not a number from 1 to 1000\n"},
	{"recipients: 5", "recipients: 1001",
	 ":42: deliveries[1].recipients: \"1001\" is not a number from 1 to 1000\n"},
	{"received_client: false", "received_client: no",
	 ":7: listeners[0].received_client: \"no\" is not one of false, true\n"},
	{"maildir: /var/mail/{domain}/{local}/m", "maildir: \"/m/{user}\"",
	 ":45: deliveries[2].maildir: \"/m/{user}\" is not " TEMPLATE_WANT "\n"},
	{"maildir: /var/mail/{domain}/{local}/m", "maildir: \"/m/{domain\"",
	 ":45: deliveries[2].maildir: \"/m/{domain\" is not " TEMPLATE_WANT "\n"},
	{"maildir: /var/mail/{domain}/{local}/m", "maildir: \"/m/domain}\"",
	 ":45: deliveries[2].maildir: \"/m/domain}\" is not " TEMPLATE_WANT "\n"},
	{"maildir: /var/mail/{domain}/{local}/m", "maildir: \"/m/{Local}\"",
	 ":45: deliveries[2].maildir: \"/m/{Local}\" is not " TEMPLATE_WANT "\n"},
	{"maildir: /var/mail/{domain}/{local}/m", "maildir: \"/m/{local}}\"",
	 ":45: deliveries[2].maildir: \"/m/{local}}\" is not " TEMPLATE_WANT "\n"},
	{"maildir: /var/mail/{domain}/{local}/m", "maildir: \"/m/{}\"",
	 ":45: deliveries[2].maildir: \"/m/{}\" is not " TEMPLATE_WANT "\n"},
	{"maildir: /var/mail/{domain}/{local}/m", "maildir: \"m/{local}\"",
	 ":45: deliveries[2].maildir: \"m/{local}\" is not " TEMPLATE_WANT "\n"},
	{"service: scanner", "service: [scanner]",
	 ":47: deliveries[3].service: must be one value, not a list or a mapping\n"},
};

static const struct fault_row together[] = {
	{"tls: verified", "tls: opportunistic",
	 ":31: deliveries[0].tls_name: " NO_EFFECT "\n:32: deliveries[0].tls_ca: " NO_EFFECT "\n"},
	{"    tls: verified\n", "",
	 ":30: deliveries[0].tls_name: " NO_EFFECT "\n:31: deliveries[0].tls_ca: " NO_EFFECT "\n"},
	{"    tls: verified\n    tls_name: Mail.example.org\n    tls_ca: /etc/hosts\n",
	 "    tls: none\n",
	 ":32: deliveries[0].user: never said in clear: set tls to verified or opportunistic\n"},
	{"    tls_name: Mail.example.org\n", "",
	 ":30: deliveries[0].tls: needs the name that the server's certificate must have: set "
	 "tls_name\n"},
	{"    user: relay @ example\n", "",
	 ":34: deliveries[0].password_file: needs the name it belongs to: set user\n"},
	{"recipients: 5", "user: me",
	 ":42: deliveries[1].user: needs a password: set password_file\n"},
	{"connections: 7", "recipients: 2", ":36: deliveries[0].recipients: " LMTP_ONLY "\n"},
	{"    maildir: /var/mail/{domain}/{local}/m\n",
	 "    maildir: /m\n    order: first\n    tls: none\n    tls_name: a.org\n    tls_ca: "
	 "/etc/hosts\n    show_client: none\n    user: u\n    connections: 2\n    reuse: 3\n    "
	 "idle: 1s\n    timeout: 2s\n    recipients: 1\n",
	 ":46: deliveries[2].order: " RELAYS_ONLY "\n:47: deliveries[2].tls: " RELAYS_ONLY
	 "\n:48: deliveries[2].tls_name: " RELAYS_ONLY "\n:49: deliveries[2].tls_ca: " RELAYS_ONLY
	 "\n:50: deliveries[2].show_client: " RELAYS_ONLY "\n:51: deliveries[2].user: " RELAYS_ONLY
	 "\n:52: deliveries[2].connections: " RELAYS_ONLY "\n:53: deliveries[2].reuse: " RELAYS_ONLY
	 "\n:54: deliveries[2].idle: " RELAYS_ONLY "\n:55: deliveries[2].timeout: " RELAYS_ONLY
	 "\n:56: deliveries[2].recipients: " LMTP_ONLY "\n"},
	{"    maildir: /var/mail/{domain}/{local}/m\n", "    discard: true\n    tls: verified\n",
	 ":46: deliveries[2].tls: " RELAYS_ONLY "\n"},
	{"service: scanner", "service: scanner\n    timeout: 3s",
	 ":48: deliveries[3].timeout: " RELAYS_ONLY "\n"},
	{"recipients: 5", "smtp: [\"10.0.0.1:25\"]",
	 ":40: deliveries[1]: has more than one kind; keep one of smtp, lmtp\n"},
	{"recipients: 5", "maildir: /m\n    service: scanner\n    discard: true",
	 ":40: deliveries[1]: has more than one kind; keep one of maildir, lmtp, service, "
	 "discard\n"},
	{"    service: scanner\n", "",
	 ":46: deliveries[3]: has no kind; add one of maildir, smtp, lmtp, service, or discard: "
	 "true\n"},
	{"    address: \"127.0.0.1:0\"\n    accept_domains: [example.org]\n",
	 "    address: \"unix:/run/mta\"\n    accept_domains: [example.org]\n",
	 ":28: deliveries[0].smtp[2]: is the address of listeners[0], whose mail would go in a "
	 "circle; name another server\n"},
	{"    address: \"127.0.0.1:0\"\n    accept_domains: [example.org]\n",
	 "    address: \"[2001:DB8:0::1]:25\"\n    accept_domains: [example.org]\n",
	 ":28: deliveries[0].smtp[1]: is the address of listeners[0], whose mail would go in a "
	 "circle; name another server\n"},
	{"accept_domains: [example.org]", "accept_domains: [any]",
	 ":5: listeners[0].accept_domains: " OPEN_RELAY "\n"},
	{"delivery: inbox", "delivery: store",
	 ":10: listeners[1].accept_domains: " OPEN_RELAY "\n"},
	{"service: scanner", "service: scaner",
	 ":47: deliveries[3].service: nothing under policies is named \"scaner\"; there is: "
	 "greylist, scanner\n"},
	{"policies: [greylist, scanner]", "policies: [scanner, greylist]",
	 ":14: listeners[2].policies: " LAST "\n"},
	{"policies: [greylist, scanner]", "policies: [greylist]",
	 ":14: listeners[2].policies: " LAST "\n"},
	{"    policies: [greylist, scanner]\n", "", ":12: listeners[2].policies: " LAST "\n"},
	{"    received_client: false\n", "    policies: [greylist, scanner]\n",
	 ":7: listeners[0].policies[1]: " ELSEWHERE "\n"},
	{"hooks: [rcpt, message]", "hooks: [rcpt, data]",
	 ":24: policies[1].failures[0]: has no effect: the policy is not asked there, or entries "
	 "before have all of it; remove it\n:21: policies[1].hooks: deliveries[3] leaves mail to "
	 "it at message: add message\n"},
	{"    failures:\n      - hooks: [message]\n        action: reject\n", "",
	 ":22: policies[1].on_failure: " NEVER_TOOK "\n"},
	{"        action: reject\n", "        action: quarantine\n",
	 ":25: policies[1].failures[0].action: " NEVER_TOOK "\n"},
	{"        action: reject\n", "        classes: [timeout]\n        action: reject\n",
	 ":22: policies[1].on_failure: " NEVER_TOOK "\n"},
	{"        action: reject\n",
	 "        classes: [timeout]\n        action: reject\n      - classes: [lost]\n        "
	 "action: quarantine\n      - action: tempfail\n",
	 ":28: policies[1].failures[1].action: " NEVER_TOOK "\n"},
	{"on_failure: accept", "mode: shadow",
	 ":22: policies[1].mode: deliveries[3] leaves mail to it, and a shadow takes none: set "
	 "mode to enforce\n"},
};

static void test_settings(void **state)
{
	char *text = deliveries_file_new();

	(void)state;
	assert_int_equal(fault_rows_broken(text, settings, sizeof settings / sizeof *settings), 0);
	deliveries_file_free(&text);
}

static void test_together(void **state)
{
	char *text = deliveries_file_new();

	(void)state;
	assert_int_equal(fault_rows_broken(text, together, sizeof together / sizeof *together), 0);
	deliveries_file_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
