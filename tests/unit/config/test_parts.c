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

static const char minimal[] = "user: root\n"
			      "listeners: [{name: a, address: \"[::1]:0\", delivery: d}]\n"
			      "deliveries: [{name: d, discard: true}]\n";

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
		cmocka_unit_test(test_free_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
