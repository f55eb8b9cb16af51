/* Parts that must be there, the account to change to, and a configuration that is none. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config_file.h"
#include "protocol/event_redact.h"

static const char minimal[] = "user: root\n"
			      "listeners: [{name: a, address: \"[::1]:0\", delivery: d}]\n"
			      "deliveries: [{name: d, discard: true}]\n";

#define UIDS_WANT "an account of this machine or a number below 4294967295\n"

static void assert_faults(const char *text, const char *faults)
{
	struct loaded loaded;

	config_file_load(text, strlen(text), &loaded);
	assert_string_equal(loaded.faults, faults);
	config_file_fini(&loaded);
}

static void test_parts_that_must_be_there(void **state)
{
	(void)state;
	assert_faults("user: root\n", ": listeners: missing; there must be at least one\n"
				      ": deliveries: missing; there must be at least one\n");
	assert_faults("user: root\nlisteners: []\ndeliveries: []\n",
		      ":2: listeners: needs at least 1 entry\n"
		      ":3: deliveries: needs at least 1 entry\n");
	assert_faults("", ": is empty; `gatepost check --defaults` prints what it can hold\n");
	assert_faults("# nothing\n",
		      ": is empty; `gatepost check --defaults` prints what it can hold\n");
	assert_faults("---\n...\n", ":2: must hold settings, one `key: value` a line\n");
	assert_faults("- a\n", ":1: must hold settings, one `key: value` a line\n");
}

static void test_equal_ports_chosen_by_the_system(void **state)
{
	(void)state;
	assert_faults("user: root\n"
		      "listeners: [{name: a, address: \"127.0.0.1:0\", delivery: d},\n"
		      "            {name: b, address: \"127.0.0.1:0\", delivery: d}]\n"
		      "deliveries: [{name: d, discard: true}]\n",
		      "");
}

/* As root the account must be there; without privileges there is none to change to, so it is not
 * read. */
static void test_account(void **state)
{
	char *text = config_file_replace(minimal, "root", "gp-nobody-here");
	char *path = config_file_write(text, strlen(text));
	struct loaded loaded;
	int status = -1;
	pid_t child;

	(void)state;
	if (geteuid() == 0) {
		config_file_load_path(path, &loaded);
		assert_string_equal(loaded.faults,
				    ":1: user: there is no account \"gp-nobody-here\"; "
				    "create it or name another\n");
		config_file_fini(&loaded);
		assert_int_equal(chown(path, 65534, 65534), 0);
	}
	child = fork();
	if (!child) {
		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(2);
		_exit(config_load(path, stderr) ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	unlink(path);
	free(path);
	free(text);
}

static void test_events(void **state)
{
	char text[512];
	struct loaded loaded;

	(void)state;
	snprintf(text, sizeof text, "%sevents: {uids: [root, 4294967294, 0], redact: [mail]}\n",
		 minimal);
	config_file_load(text, strlen(text), &loaded);
	assert_string_equal(loaded.faults, "");
	assert_int_equal(loaded.config->events.uids.len, 3);
	assert_int_equal(loaded.config->events.uids.items[0].uid, 0);
	assert_int_equal(loaded.config->events.uids.items[1].uid, 4294967294);
	assert_int_equal(loaded.config->events.redact, 1u << EVENT_REDACT_MAIL);
	config_file_fini(&loaded);
	config_file_load(minimal, strlen(minimal), &loaded);
	assert_int_equal(loaded.config->events.uids.len, 0);
	assert_int_equal(loaded.config->events.redact, 0);
	config_file_fini(&loaded);
	snprintf(text, sizeof text, "%sevents: {uids: [gp-nobody-here, 4294967295, -1]}\n",
		 minimal);
	assert_faults(text, ":4: events.uids[0]: \"gp-nobody-here\" is not " UIDS_WANT
			    ":4: events.uids[1]: \"4294967295\" is not " UIDS_WANT
			    ":4: events.uids[2]: \"-1\" is not " UIDS_WANT);
	snprintf(text, sizeof text, "%sevents: {redact: [client, body]}\n", minimal);
	assert_faults(text, ":4: events.redact[1]: \"body\" is not one of client, mail\n");
}

static void test_free_nothing(void **state)
{
	struct config *none = NULL;

	(void)state;
	config_free(&none);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts_that_must_be_there),
		cmocka_unit_test(test_equal_ports_chosen_by_the_system),
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_free_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
