/* What a reload may change, and what not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"

static const char base[] = "user: root\n"
			   "listeners: [{name: a, address: \"[::1]:0\", delivery: d}]\n"
			   "deliveries: [{name: d, discard: true}]\n";

static struct config *load(const char *more)
{
	struct loaded loaded;
	char text[1024];

	snprintf(text, sizeof text, "%s%s", base, more);
	config_file_load(text, strlen(text), &loaded);
	if (!loaded.config)
		fail_msg("%s", loaded.faults);
	free(loaded.faults);
	free(loaded.config->file); /* it has another name each time */
	loaded.config->file = strdup("f");
	return loaded.config;
}

static void expect(const char *before, const char *after, const char *faults)
{
	struct config *old = load(before), *new = load(after);
	char *text = NULL;
	size_t len;
	FILE *errors = open_memstream(&text, &len);
	bool good = config_can_follow(old, new, errors);

	fclose(errors);
	assert_string_equal(text, faults);
	assert_int_equal(good, !*faults);
	free(text);
	config_free(&old);
	config_free(&new);
}

static void test_changes(void **state)
{
	(void)state;
	expect("", "", "");
	expect("", "workers: 3\nlog: {level: debug}\nlimits: {errors: 5}\ndrain_timeout: 1s\n", "");
	expect("", "spool_dir: /x\n", "f:4: spool_dir: needs a restart to change\n");
	expect("", "runtime_dir: /x\nhostname: a.example\n",
	       "f:5: hostname: needs a restart to change\n"
	       "f:4: runtime_dir: needs a restart to change\n");
	expect("", "http: \"127.0.0.1:1\"\n", "f:4: http: needs a restart to change\n");
	expect("http: \"127.0.0.1:1\"\n", "", "f: http: needs a restart to change\n");
	expect("", "events:\n  ring: 1M\n", "f:5: events.ring: needs a restart to change\n");
	expect("events: {ring: 1M}\n", "events: {subscribers: 64}\n",
	       "f:4: events.ring: needs a restart to change\n");
	expect("", "events: {uids: [0, 1]}\n", "f:4: events.uids: needs a restart to change\n");
	expect("events: {uids: [1, 0]}\n", "events: {uids: [0, 1]}\n",
	       "f:4: events.uids: needs a restart to change\n");
	/* The default said is no change. */
	expect("", "events: {ring: 64M}\nspool_dir: /var/spool/gatepost\n", "");
}

static void blames(const struct config *config, const char *setting, const char *expected)
{
	char error[64] = "is taken";

	config_blame(config, setting, error, sizeof error);
	assert_string_equal(error, expected);
}

static void test_what_is_blamed(void **state)
{
	struct config *config = load("events: {ring: 1M}\n"), made = {0};
	char small[12] = "is taken";

	(void)state;
	blames(config, "listeners[0].address", "f:2: listeners[0].address: is taken");
	blames(config, "deliveries[0].maildir", "f:3: deliveries[0].maildir: is taken");
	blames(config, "events.subscribers", "f:4: events.subscribers: is taken");
	blames(config, "http", "f: http: is taken");
	blames(&made, "http", "is taken");
	config_blame(config, "user", small, sizeof small);
	assert_string_equal(small, "f:1: user: ");
	config_free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes),
					   cmocka_unit_test(test_what_is_blamed)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
