/* The settings of policies: what each becomes, what they mean together and with the listeners that
 * ask them, and all that can be wrong with them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"
#include "fault_rows.h"
#include "protocol/handshake.h"

static const char policies_file[] =
	/* 1 */ "user: root\n"
		"deliveries: [{name: d, discard: true}]\n"
		"listeners:\n"
		"  - {name: a, address: \"127.0.0.1:0\", delivery: d, policies: [scan, login]}\n"
		/* 5 */ "limits:\n"
		"  message_time: 5s\n"
		"  spool: 3M\n"
		"policies:\n"
		"  - name: scan\n"
		/* 10 */ "    sockets: [/run/scan.sock]\n"
		"    timeout: 2s\n"
		"    timeout_max: 5m\n"
		"    on_failure: reject\n"
		"    required: true\n"
		/* 15 */ "    grants: [bypass]\n"
		"    uid: root\n"
		"    failures:\n"
		"      - hooks: [connect, ehlo]\n"
		"        action: accept\n"
		/* 20 */ "      - hooks: [rcpt, data]\n"
		"        classes: [lost, timeout]\n"
		"        action: disconnect\n"
		"      - classes: [overload, timeout]\n"
		"        action: quarantine\n"
		/* 25 */ "  - name: login\n"
		"    sockets: [/run/login.sock]\n"
		"    hooks: [auth]\n"
		"    mode: shadow\n"
		"    uid: 4294967294\n"
		/* 30 */ "  - name: plain\n"
		"    sockets: [/run/plain.sock]\n";

static const struct config *load_good(const char *text, struct loaded *loaded)
{
	config_file_load(text, strlen(text), loaded);
	assert_string_equal(loaded->faults, "");
	return loaded->config;
}

static void test_every_setting(void **state)
{
	struct loaded loaded;
	const struct config *c = load_good(policies_file, &loaded);
	const struct config_policy *scan = &c->policies[0], *login = &c->policies[1];

	(void)state;
	assert_true(c->limits.message_time == 5);
	assert_int_equal(c->limits.spool, 3 * 1024 * 1024);
	assert_true(scan->timeout == 2);
	assert_true(scan->timeout_max == 300);
	assert_int_equal(scan->on_failure, VERDICT_REJECT);
	assert_true(scan->required);
	assert_int_equal(scan->mode, CONFIG_MODE_ENFORCE);
	assert_int_equal(scan->grants, 1u << HANDSHAKE_GRANT_BYPASS);
	assert_true(scan->uid.set);
	assert_int_equal(scan->uid.uid, 0);
	assert_int_equal(scan->failures_len, 3);
	assert_int_equal(scan->failures[0].hooks, 1u << HOOK_CONNECT | 1u << HOOK_EHLO);
	assert_int_equal(scan->failures[0].classes, ~0u);
	assert_int_equal(scan->failures[0].action, VERDICT_ACCEPT);
	assert_int_equal(scan->failures[1].classes, 1u << FAILURE_LOST | 1u << FAILURE_TIMEOUT);
	assert_int_equal(scan->failures[2].hooks, ~0u);
	assert_int_equal(scan->failures[2].action, VERDICT_QUARANTINE);
	assert_false(login->required);
	assert_int_equal(login->mode, CONFIG_MODE_SHADOW);
	assert_true(login->uid.set);
	assert_int_equal(login->uid.uid, 4294967294u);
	config_file_fini(&loaded);
}

static void test_defaults(void **state)
{
	struct loaded loaded;
	const struct config_policy *plain = &load_good(policies_file, &loaded)->policies[2];

	(void)state;
	assert_int_equal(plain->hooks, ~0u);
	assert_true(plain->timeout == 3);
	assert_true(plain->timeout_max == 60);
	assert_int_equal(plain->on_failure, VERDICT_TEMPFAIL);
	assert_int_equal(plain->failures_len, 0);
	assert_false(plain->required);
	assert_int_equal(plain->mode, CONFIG_MODE_ENFORCE);
	assert_int_equal(plain->grants, 0);
	assert_false(plain->uid.set);
	config_file_fini(&loaded);
}

static enum verdict_kind expected_action(enum hook hook, enum failure failure)
{
	bool timeout = failure == FAILURE_TIMEOUT;

	if (hook == HOOK_CONNECT || hook == HOOK_EHLO)
		return VERDICT_ACCEPT;
	if ((hook == HOOK_RCPT || hook == HOOK_DATA) && (timeout || failure == FAILURE_LOST))
		return VERDICT_DISCONNECT;
	return timeout || failure == FAILURE_OVERLOAD ? VERDICT_QUARANTINE : VERDICT_REJECT;
}

static void test_the_first_entry_that_holds_decides_else_on_failure(void **state)
{
	struct loaded loaded;
	const struct config *c = load_good(policies_file, &loaded);

	(void)state;
	for (unsigned hook = 0; hook < HOOK_DISCONNECT; hook++) {
		for (unsigned failure = 0; failure < FAILURE_CHOICES; failure++) {
			enum verdict_kind want =
				expected_action((enum hook)hook, (enum failure)failure);

			assert_int_equal(c->policies[0].actions[hook][failure], want);
			assert_int_equal(c->policies[2].actions[hook][failure], VERDICT_TEMPFAIL);
		}
	}
	config_file_fini(&loaded);
}

static void test_every_action(void **state)
{
	static const enum verdict_kind kinds[] = {VERDICT_ACCEPT, VERDICT_QUARANTINE,
						  VERDICT_TEMPFAIL, VERDICT_REJECT,
						  VERDICT_DISCONNECT};

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char line[64], *text;
		struct loaded loaded;

		snprintf(line, sizeof line, "on_failure: %s", verdict_word(kinds[i]));
		text = config_file_replace(policies_file, "on_failure: reject", line);
		load_good(text, &loaded);
		assert_int_equal(loaded.config->policies[0].actions[HOOK_MAIL][FAILURE_LOST],
				 kinds[i]);
		config_file_fini(&loaded);
		free(text);
	}
}

/* None of them changes what was there without them. */
static void test_empty_lists(void **state)
{
	char *text = config_file_replace(policies_file, "sockets: [/run/plain.sock]",
					 "sockets: [/run/plain.sock]\n"
					 "    failures: []\n    grants: []");
	struct loaded loaded;
	const struct config_policy *plain = &load_good(text, &loaded)->policies[2];

	(void)state;
	assert_int_equal(plain->failures_len, 0);
	assert_int_equal(plain->grants, 0);
	assert_int_equal(plain->actions[HOOK_RCPT][FAILURE_LOST], VERDICT_TEMPFAIL);
	config_file_fini(&loaded);
	free(text);
}

/* --- what the listeners that ask can tell --- */

#define ALWAYS                                                                                     \
	(1u << HOOK_FACT_CLIENT | 1u << HOOK_FACT_LISTENER | 1u << HOOK_FACT_HELO |                \
	 1u << HOOK_FACT_MAIL | 1u << HOOK_FACT_RECIPIENTS | 1u << HOOK_FACT_LABELS)
#define QUIET "address: \"127.0.0.1:0\", resolve_names: false"

static unsigned facts_of(const char *listener, const char *other)
{
	struct loaded loaded;
	unsigned facts;
	char *text;

	assert_true(asprintf(&text,
			     "user: root\n"
			     "deliveries: [{name: d, discard: true}]\n"
			     "tls: {certificates: [{certificate: /etc/passwd, key: /etc/group}]}\n"
			     "policies: [{name: x, sockets: [/x]}, {name: p, sockets: [/p]}]\n"
			     "listeners:\n"
			     "  - {name: a, delivery: d, %s}\n"
			     "  - {name: b, delivery: d, %s}\n",
			     listener, other) > 0);
	load_good(text, &loaded);
	facts = loaded.config->policies[1].facts;
	config_file_fini(&loaded);
	free(text);
	return facts;
}

static void test_facts(void **state)
{
	static const struct {
		const char *listener;
		unsigned facts;
	} rows[] = {
		{QUIET, 0},
		{"address: \"127.0.0.1:0\"", 1u << HOOK_FACT_CLIENT_NAME},
		{"address: \"unix:/run/a.sock\"", 0}, /* whose client has no address to look up */
		{QUIET ", proxy_protocol: [10.0.0.1]", 1u << HOOK_FACT_CLIENT_PROXY},
		{QUIET ", xclient: [10.0.0.1]", 1u << HOOK_FACT_CLIENT_NAME | 1u << HOOK_FACT_AUTH},
		{QUIET ", tls: starttls", 1u << HOOK_FACT_TLS},
		{QUIET ", tls: implicit", 1u << HOOK_FACT_TLS},
		{QUIET ", tls: starttls, client_certificates: request",
		 1u << HOOK_FACT_TLS | 1u << HOOK_FACT_TLS_PEER},
		{QUIET ", tls: starttls, auth: true", 1u << HOOK_FACT_TLS | 1u << HOOK_FACT_AUTH},
	};
	char asks[256];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(asks, sizeof asks, "%s, policies: [x, p]", rows[i].listener);
		assert_int_equal(facts_of(asks, QUIET), ALWAYS | rows[i].facts);
		/* Of one that does not ask it, nothing is told. */
		assert_int_equal(facts_of(rows[i].listener, QUIET ", policies: [x, p]"), ALWAYS);
	}
	/* What one of them tells is enough. */
	assert_int_equal(facts_of(QUIET ", tls: starttls, policies: [p]",
				  QUIET ", proxy_protocol: [10.0.0.1], policies: [p]"),
			 ALWAYS | 1u << HOOK_FACT_TLS | 1u << HOOK_FACT_CLIENT_PROXY);
}

/* --- faults --- */

#define HOOKS_WANT                                                                                 \
	"one of connect, ehlo, starttls, secure, auth, mail, rcpt, data, message, disconnect"
#define ACTION_WANT "one of accept, quarantine, tempfail, reject, disconnect"
#define CLASS_WANT  "one of unavailable, overload, timeout, lost"
#define UID_WANT    "an account of this machine or a number below 4294967295"
#define KNOWN                                                                                      \
	"known here: name, sockets, hooks, timeout, timeout_max, on_failure, required, mode, "     \
	"grants, uid, failures"
#define NO_EFFECT                                                                                  \
	"has no effect: the policy is not asked there, or entries before have all of it; remove "  \
	"it\n"
#define LETS_IN                                                                                    \
	"would let anybody log in: take auth out of hooks, or choose tempfail, reject or "         \
	"disconnect\n"
#define SHADOW	  "a shadow decides nothing, so "
#define REMOVE_IT "remove this, or set mode to enforce\n"
#define ENTRY	  "      - {hooks: [rcpt, auth], action: reject}\n"
#define EIGHT	  ENTRY ENTRY ENTRY ENTRY ENTRY ENTRY ENTRY ENTRY
#define LAST	  "    sockets: [/run/plain.sock]\n"
#define FIRST	  "      - hooks: [connect, ehlo]\n        action: accept\n"

static const struct fault_row rows[] = {
	{"message_time: 5s", "message_time: 999ms",
	 ":6: limits.message_time: \"999ms\" is not a time from 1s to 10m (units ms s m h d)\n"},
	{"message_time: 5s", "message_time: 601s",
	 ":6: limits.message_time: \"601s\" is not a time from 1s to 10m (units ms s m h d)\n"},
	{"spool: 3M", "spool: 3MB",
	 ":7: limits.spool: \"3MB\" is not a size from 0 to 1024G (units K M G)\n"},
	{"spool: 3M", "spool: 1025G",
	 ":7: limits.spool: \"1025G\" is not a size from 0 to 1024G (units K M G)\n"},
	{"timeout_max: 5m", "timeout_max: 61m",
	 ":12: policies[0].timeout_max: \"61m\" is not a time from 0s to 1h (units ms s m h d)\n"},
	{"timeout_max: 5m", "timeout_max: [5m]",
	 ":12: policies[0].timeout_max: must be one value, not a list or a mapping\n"},
	{"on_failure: reject", "on_failure: {timeout: accept}",
	 ":13: policies[0].on_failure: must be one value, not a list or a mapping\n"},
	{"on_failure: reject", "on_failure: defer",
	 ":13: policies[0].on_failure: \"defer\" is not " ACTION_WANT "\n"},
	/* Verdicts of services, but nothing to choose for their failure. */
	{"on_failure: reject", "on_failure: bypass",
	 ":13: policies[0].on_failure: \"bypass\" is not " ACTION_WANT "\n"},
	{"on_failure: reject", "on_failure: discard",
	 ":13: policies[0].on_failure: \"discard\" is not " ACTION_WANT "\n"},
	{"    on_failure: reject\n", "    on_unavailable: reject\n",
	 ":13: policies[0].on_unavailable: unknown setting; " KNOWN "\n"},
	{"    on_failure: reject\n", "    on_overload: reject\n",
	 ":13: policies[0].on_overload: unknown setting; " KNOWN "\n"},
	{"    on_failure: reject\n", "    on_timeout: reject\n",
	 ":13: policies[0].on_timeout: unknown setting; " KNOWN "\n"},
	{"    on_failure: reject\n", "    on_lost: reject\n",
	 ":13: policies[0].on_lost: unknown setting; " KNOWN "\n"},
	{"required: true", "required: 1",
	 ":14: policies[0].required: \"1\" is not one of false, true\n"},
	{"grants: [bypass]", "grants: [discard, bypass]",
	 ":15: policies[0].grants[0]: \"discard\" is not one of bypass\n"},
	{"grants: [bypass]", "grants: bypass",
	 ":15: policies[0].grants: must be a list, one `- entry` a line or [entry, entry]\n"},
	{"uid: root", "uid: gp-nobody-here",
	 ":16: policies[0].uid: \"gp-nobody-here\" is not " UID_WANT "\n"},
	{"uid: root", "uid: \"ro ot\"", ":16: policies[0].uid: \"ro ot\" is not " UID_WANT "\n"},
	{"uid: root", "uid: -1", ":16: policies[0].uid: \"-1\" is not " UID_WANT "\n"},
	{"uid: root", "uid: \"\"", ":16: policies[0].uid: \"\" is not " UID_WANT "\n"},
	{"uid: root", "uid: 0x0", ":16: policies[0].uid: \"0x0\" is not " UID_WANT "\n"},
	{"uid: 4294967294", "uid: 4294967295",
	 ":29: policies[1].uid: \"4294967295\" is not " UID_WANT "\n"},
	{"uid: 4294967294", "uid: 99999999999",
	 ":29: policies[1].uid: \"99999999999\" is not " UID_WANT "\n"},
	{"mode: shadow", "mode: shadows",
	 ":28: policies[1].mode: \"shadows\" is not one of enforce, shadow\n"},
	/* failures */
	{LAST, LAST "    failures: {hooks: [rcpt], action: accept}\n",
	 ":32: policies[2].failures: must be a list, one `- entry` a line or [entry, entry]\n"},
	{LAST, LAST "    failures: accept\n",
	 ":32: policies[2].failures: must be a list, one `- entry` a line or [entry, entry]\n"},
	{LAST, LAST "    failures: [accept]\n",
	 ":32: policies[2].failures[0]: must hold settings, one `key: value` a line\n"},
	{LAST, LAST "    failures:\n      - [a]\n      - action: [reject]\n",
	 ":33: policies[2].failures[0]: must hold settings, one `key: value` a line\n"
	 ":34: policies[2].failures[1].action: must be one value, not a list or a mapping\n"},
	{"        action: disconnect\n", "        acton: disconnect\n",
	 ":22: policies[0].failures[1].acton: unknown setting; did you mean action?\n"
	 ":20: policies[0].failures[1].action: missing; it must be " ACTION_WANT "\n"},
	{"        action: disconnect\n", "",
	 ":20: policies[0].failures[1].action: missing; it must be " ACTION_WANT "\n"},
	{"        action: disconnect\n", "        action: disconnect\n        action: reject\n",
	 ":23: policies[0].failures[1].action: set twice; remove one\n"},
	{"action: disconnect", "action: maybe",
	 ":22: policies[0].failures[1].action: \"maybe\" is not " ACTION_WANT "\n"},
	{"action: disconnect", "action: bypass",
	 ":22: policies[0].failures[1].action: \"bypass\" is not " ACTION_WANT "\n"},
	{"hooks: [rcpt, data]", "hooks: [rcpt, dot]",
	 ":20: policies[0].failures[1].hooks[1]: \"dot\" is not " HOOKS_WANT "\n"},
	{"hooks: [rcpt, data]", "hooks: [dot]",
	 ":20: policies[0].failures[1].hooks[0]: \"dot\" is not " HOOKS_WANT "\n"},
	{"hooks: [rcpt, data]", "hooks: []",
	 ":20: policies[0].failures[1].hooks: needs at least 1 entry\n"},
	{"classes: [lost, timeout]", "classes: [lost, late]",
	 ":21: policies[0].failures[1].classes[1]: \"late\" is not " CLASS_WANT "\n"},
	/* Never the operator's choice: it is always a tempfail. */
	{"classes: [lost, timeout]", "classes: [bad_reply]",
	 ":21: policies[0].failures[1].classes[0]: \"bad_reply\" is not " CLASS_WANT "\n"},
	{"classes: [lost, timeout]", "classes: []",
	 ":21: policies[0].failures[1].classes: needs at least 1 entry\n"},
	{LAST, LAST "    failures:\n" EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT ENTRY,
	 ":97: policies[2].failures: takes at most 64 entries; remove the rest\n"},
	/* what does not fit together */
	{FIRST, "      - action: accept\n",
	 ":19: policies[0].failures[1]: " NO_EFFECT ":22: policies[0].failures[2]: " NO_EFFECT},
	{FIRST, FIRST "      - {hooks: [ehlo], classes: [lost], action: reject}\n",
	 ":20: policies[0].failures[1]: " NO_EFFECT},
	{"hooks: [rcpt, data]", "hooks: [disconnect]", ":20: policies[0].failures[1]: " NO_EFFECT},
	{"    hooks: [auth]\n",
	 "    hooks: [auth]\n    failures: [{hooks: [rcpt], action: reject}]\n",
	 ":28: policies[1].failures[0]: " NO_EFFECT},
	{FIRST, "      - hooks: [connect, auth]\n        action: accept\n",
	 ":19: policies[0].failures[0].action: " LETS_IN},
	{FIRST, "      - hooks: [auth]\n        classes: [lost]\n        action: quarantine\n",
	 ":20: policies[0].failures[0].action: " LETS_IN},
	{"    hooks: [auth]\n", "    hooks: [auth, disconnect]\n    failures: [{action: accept}]\n",
	 ":28: policies[1].failures[0].action: " LETS_IN},
	{"    hooks: [auth]\n", "    hooks: [auth]\n    on_failure: accept\n",
	 ":28: policies[1].on_failure: would let anybody log in: choose tempfail, reject or "
	 "disconnect\n"},
	{"    hooks: [auth]\n", "    hooks: [auth]\n    on_failure: quarantine\n",
	 ":28: policies[1].on_failure: would let anybody log in: choose tempfail, reject or "
	 "disconnect\n"},
	{"    mode: shadow\n", "    mode: shadow\n    required: true\n    grants: [bypass]\n",
	 ":29: policies[1].required: " SHADOW "nothing can need it: " REMOVE_IT
	 ":30: policies[1].grants: " SHADOW "there is nothing to grant: " REMOVE_IT},
};

static void test_rows(void **state)
{
	(void)state;
	assert_int_equal(fault_rows_broken(policies_file, rows, sizeof rows / sizeof *rows), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_setting),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_the_first_entry_that_holds_decides_else_on_failure),
		cmocka_unit_test(test_every_action),
		cmocka_unit_test(test_empty_lists),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
