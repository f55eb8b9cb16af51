/* The actions of a policy's failures, one class each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config_file.h"

static void test_failure_by_class(void **state)
{
	char *text = config_file_replace(full_file, "    on_failure: accept\n",
					 "    on_failure: reject\n"
					 "    on_unavailable: tempfail\n"
					 "    on_overload: disconnect\n"
					 "    on_timeout: accept\n"
					 "    on_lost: on_failure\n");
	struct loaded loaded;
	const struct config *c;

	(void)state;
	config_file_load(text, strlen(text), &loaded);
	assert_string_equal(loaded.faults, "");
	c = loaded.config;
	assert_int_equal(c->policies[0].on_failure, VERDICT_REJECT);
	assert_int_equal(c->policies[0].on_unavailable, VERDICT_TEMPFAIL);
	assert_int_equal(c->policies[0].on_overload, VERDICT_DISCONNECT);
	assert_int_equal(c->policies[0].on_timeout, VERDICT_ACCEPT);
	assert_int_equal(c->policies[0].on_lost, VERDICT_REJECT);
	config_file_fini(&loaded);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failure_by_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
