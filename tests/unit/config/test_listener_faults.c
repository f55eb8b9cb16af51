/* Each row: the full file with one change in a listener, and all that is said of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_file.h"
#include "fault_rows.h"

#define NAME_WANT    "a name of letters, digits, _ - and . (at most 64 octets)"
#define ADDRESS_WANT "an address: IPv4:port, [IPv6]:port, unix:/path or fd:name"
#define BLOCK_WANT   "an IP address, or the first one of a block and its prefix length: 10.0.0.0/8"
#define UNIX_FAULT   "has no effect on a Unix socket, whose peers have no IP address; remove it\n"

static const struct fault_row rows[] = {
	{"name: mx", "name: m x", ":8: listeners[0].name: \"m x\" is not " NAME_WANT "\n"},
	{"name: mx", "name: " FIFTY TEN "aaaaa",
	 ":8: listeners[0].name: \"" FIFTY TEN "aaaaa\" is not " NAME_WANT "\n"},
	{"name: mx", "name: local",
	 ":24: listeners[1].name: \"local\" is already the name of listeners[0]; change one\n"},
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
	 ":25: listeners[1].address: is already the address of listeners[0]; change one\n"
	 ":14: listeners[0].proxy_protocol: " UNIX_FAULT ":15: listeners[0].xclient: " UNIX_FAULT
	 ":16: listeners[0].relay_clients: " UNIX_FAULT},
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
	 "implicit\n"
	 ":12: listeners[0].client_certificates: no client could ever show one: set tls to "
	 "starttls or implicit\n"
	 ":13: listeners[0].auth: never offered in clear: set tls to starttls or implicit\n"},
	{"    tls: starttls\n    require_tls: true\n    client_certificates: require\n", "",
	 ":10: listeners[0].auth: never offered in clear: set tls to starttls or implicit\n"},
	{"require_tls: true", "require_tls: yes",
	 ":11: listeners[0].require_tls: \"yes\" is not one of false, true\n"},
	{"client_certificates: require", "client_certificates: optional",
	 ":12: listeners[0].client_certificates: \"optional\" is not one of none, request, "
	 "require\n"},
	{"  client_ca: /etc/hosts\n", "",
	 ":12: listeners[0].client_certificates: none would ever verify: set tls.client_ca\n"},
	{"auth: true", "auth: plain",
	 ":13: listeners[0].auth: \"plain\" is not one of false, true\n"},
	{"[10.0.0.0/8, \"2001:db8::/32\"]",
	 "[10.0.0.1/8, \"2001:db8::/129\", lb.example.org, \"\"]",
	 ":14: listeners[0].proxy_protocol[0]: \"10.0.0.1/8\" is not " BLOCK_WANT "\n"
	 ":14: listeners[0].proxy_protocol[1]: \"2001:db8::/129\" is not " BLOCK_WANT "\n"
	 ":14: listeners[0].proxy_protocol[2]: \"lb.example.org\" is not " BLOCK_WANT "\n"
	 ":14: listeners[0].proxy_protocol[3]: \"\" is not " BLOCK_WANT "\n"},
	{"[10.0.0.0/8, \"2001:db8::/32\"]", "10.0.0.0/8",
	 ":14: listeners[0].proxy_protocol: must be a list, one `- entry` a line or [entry, "
	 "entry]\n"},
	{"[10.0.0.0/8, \"2001:db8::/32\"]", "[10.0.0.0/8, \"::/0\"]",
	 ":14: listeners[0].proxy_protocol[1]: is everybody, and anybody could claim to be one of "
	 "relay_clients: an open relay; name your load balancers\n"},
	{"xclient: [192.0.2.1]", "xclient: [\"192.0.2.1:25\"]",
	 ":15: listeners[0].xclient[0]: \"192.0.2.1:25\" is not " BLOCK_WANT "\n"},
	{"xclient: [192.0.2.1]", "xclient: [192.0.2.1, 0.0.0.0/0]",
	 ":15: listeners[0].xclient[1]: is everybody, and anybody could claim to be anybody; name "
	 "your own peers\n"},
	{"      - 198.51.100.0/24\n", "      - 198.51.100.0/24\n      - 0.0.0.0/0\n      - ::/0\n",
	 ":18: listeners[0].relay_clients[1]: is everybody: an open relay; name your own clients\n"
	 ":19: listeners[0].relay_clients[2]: is everybody: an open relay; name your own "
	 "clients\n"},
	{"198.51.100.0/24", "0.0.0.1/0",
	 ":17: listeners[0].relay_clients[0]: \"0.0.0.1/0\" is not " BLOCK_WANT "\n"},
	{"resolve_names: false", "resolve_names: ptr",
	 ":18: listeners[0].resolve_names: \"ptr\" is not one of false, true\n"},
	{"protocol: lmtp", "protocol: esmtp",
	 ":19: listeners[0].protocol: \"esmtp\" is not one of smtp, lmtp\n"},
	{"bare_newline: accept", "bare_newline: fix",
	 ":20: listeners[0].bare_newline: \"fix\" is not one of reject, accept\n"},
	{"    accept_domains: [any]\n",
	 "    proxy_protocol: [\"::/0\"]\n    xclient: [192.0.2.1]\n    relay_clients: "
	 "[192.0.2.1]\n",
	 ":26: listeners[1].proxy_protocol: " UNIX_FAULT ":27: listeners[1].xclient: " UNIX_FAULT
	 ":28: listeners[1].relay_clients: " UNIX_FAULT
	 ":26: listeners[1].proxy_protocol[0]: is everybody, and anybody could claim to be one of "
	 "relay_clients: an open relay; name your load balancers\n"},
	{"accept_domains: [example.org, Mail.Example.NET]", "accept_domains: example.org",
	 ":21: listeners[0].accept_domains: must be a list, one `- entry` a line or [entry, "
	 "entry]\n"},
	{"accept_domains: [example.org, Mail.Example.NET]",
	 "accept_domains:\n      - example.org\n      - \"*.example.org\"",
	 ":23: listeners[0].accept_domains[1]: \"*.example.org\" is not a domain name or any\n"},
	{"accept_domains: [example.org, Mail.Example.NET]",
	 "accept_domains:\n      - any\n      - example.org",
	 ":22: listeners[0].accept_domains[0]: any stands alone; remove it or the other entries\n"},
	{"accept_domains: [example.org, Mail.Example.NET]", "accept_domains: [a.org, ANY, any]",
	 ":21: listeners[0].accept_domains[1]: any stands alone; remove it or the other entries\n"},
	{"accept_domains: [example.org, Mail.Example.NET]", "accept_domains: [[a.org]]",
	 ":21: listeners[0].accept_domains[0]: must be one value, not a list or a mapping\n"},
	{"accept_domains: [example.org, Mail.Example.NET]", "accept_domain: [a.org]",
	 ":21: listeners[0].accept_domain: unknown setting; did you mean accept_domains?\n"},
	{"policies: [scanner, greylist]", "policies: [scanner, graylist]",
	 ":22: listeners[0].policies[1]: nothing under policies is named \"graylist\"; there is: "
	 "greylist, scanner\n"},
	{"policies: [scanner, greylist]", "policies: [scanner, scanner]",
	 ":22: listeners[0].policies[1]: named twice; remove one\n"},
	{"delivery: store", "delivery: stor",
	 ":23: listeners[0].delivery: nothing under deliveries is named \"stor\"; there is: "
	 "nowhere, store\n"},
	{"    delivery: store\n", "",
	 ":8: listeners[0].delivery: missing; it must be the name of a delivery\n"},
	{"    delivery: store\n", "    delivery: store\n    delivery: nowhere\n",
	 ":24: listeners[0].delivery: set twice; remove one\n"},
	{"    delivery: store\n", "    delivery: store\n    colour: red\n",
	 ":24: listeners[0].colour: unknown setting; known here: name, address, tls, require_tls, "
	 "client_certificates, auth, proxy_protocol, xclient, relay_clients, resolve_names, "
	 "protocol, bare_newline, accept_domains, policies, delivery, received_client\n"},
	{"  - name: local\n", "  - just text\n  - name: local\n",
	 ":24: listeners[1]: must hold settings, one `key: value` a line\n"},
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
