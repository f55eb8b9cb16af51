/* The settings of a policy in the configuration, as the policy room gets them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "process/worker_policy.h"
#include "protocol/handshake.h"

static char *sockets[] = {"/a", "/b"};

static struct config_policy policies[] = {
	{
		.name = "scan",
		.sockets = {sockets, 2},
		.hooks = 1u << HOOK_RCPT,
		.timeout = 2,
		.timeout_max = 5,
		.required = true,
		.grants = 1u << HANDSHAKE_GRANT_BYPASS,
		.uid = {true, 7},
		.facts = 1u << HOOK_FACT_TLS,
	},
	{.name = "try", .sockets = {sockets, 1}, .hooks = ~0u, .mode = CONFIG_MODE_SHADOW},
	{.name = "take", .sockets = {sockets, 1}, .hooks = ~0u, .delivers = true},
};

static const struct config config = {
	.hostname = "mx.example.org",
	.spool_dir = "/spool",
	.policies = policies,
	.policies_len = 3,
	.limits = {.message_size = 1000},
};

static void check_scan(const struct policy_service_settings *scan)
{
	assert_string_equal(scan->name, "scan");
	assert_int_equal(scan->sockets_len, 2);
	assert_string_equal(scan->sockets[1], "/b");
	assert_int_equal(scan->hooks, 1u << HOOK_RCPT);
	assert_true(scan->timeout == 2);
	assert_true(scan->timeout_max == 5);
	assert_false(scan->shadow);
	assert_false(scan->delivers);
	assert_true(scan->required);
	assert_int_equal(scan->grants, 1u << HANDSHAKE_GRANT_BYPASS);
	assert_int_equal(scan->facts, 1u << HOOK_FACT_TLS);
	assert_true(scan->uid_set);
	assert_int_equal(scan->uid, 7);
}

static void test_each_setting_arrives(void **state)
{
	const struct policy_service_settings *try;
	struct worker_policy policy;

	(void)state;
	for (unsigned hook = 0; hook < HOOK_MAX; hook++) {
		for (unsigned failure = 0; failure < FAILURE_CHOICES; failure++)
			policies[0].actions[hook][failure] =
				(enum verdict_kind)((hook + failure) % VERDICT_MAX);
	}
	worker_policy_init(&policy, &config, 3);
	assert_int_equal(policy.settings.services_len, 3);
	check_scan(&policy.settings.services[0]);
	for (unsigned hook = 0; hook < HOOK_MAX; hook++) {
		for (unsigned failure = 0; failure < FAILURE_CHOICES; failure++)
			assert_int_equal(policy.settings.services[0].actions[hook][failure],
					 (hook + failure) % VERDICT_MAX);
	}
	try = &policy.settings.services[1];
	assert_true(try->shadow);
	assert_false(try->required);
	assert_false(try->uid_set);
	assert_int_equal(try->grants, 0);
	assert_true(policy.settings.services[2].delivers);
	assert_string_equal(policy.settings.gateway.name, "mx.example.org");
	assert_int_equal(policy.settings.gateway.worker, 3);
	assert_int_equal(strlen(policy.settings.gateway.epoch), IDENT_SIZE - 1);
	assert_int_equal(policy.settings.message_size, 1000);
	assert_string_equal(policy.settings.spool_dir, "/spool");
	worker_policy_fini(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_setting_arrives)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
