/* All spool files of all processes together have a bound. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scratch.h"
#include "shared/counters.h"
#include "spooled.h"

#define LIMIT  500000
#define HEADER "A: 1\r\n\r\n"

static struct counters *counters;
static struct spool first, second; /* as two workers have them */

/* Appends while the sum is made, if it is set, and goes. */
static struct spool_message *other;
static bool other_ok;

uint64_t __real_counters_spool(struct counters *c);
uint64_t __wrap_counters_spool(struct counters *c);

uint64_t __wrap_counters_spool(struct counters *c)
{
	struct spool_message *m = other;
	uint64_t sum = __real_counters_spool(c);

	other = NULL;
	if (m) {
		other_ok = spool_message_append(m, spooled_pattern, 150000);
		spool_message_free(&m);
	}
	return sum;
}

static int setup(void **state)
{
	if (!counters)
		counters = counters_new();
	spooled_setup(state);
	first = (struct spool){.dir = spooled_dir,
			       .limit = LIMIT,
			       .counters = counters,
			       .slot = counters_slot(counters, 0)};
	second = first;
	second.slot = counters_slot(counters, 1);
	atomic_store(&first.slot->spool, 0);
	atomic_store(&second.slot->spool, 0);
	return 0;
}

static struct spool_message *make(const struct spool *spool, const char *id, size_t len)
{
	struct spool_message *m = spool_message_new(spool, id);

	assert_true(spool_message_append(m, HEADER, strlen(HEADER)));
	assert_true(spool_message_append(m, spooled_pattern, len - strlen(HEADER)));
	return m;
}

static void files_are_counted(void **state)
{
	struct spool_message *m = make(&first, SPOOLED_ID, 60000);
	struct spool_message *n = make(&second, "01JD9Z8K3X7F4Y5N0002", 200000);

	(void)state;
	assert_int_equal(counters_spool(counters), 200000);
	assert_int_equal(atomic_load(&first.slot->spool), 0); /* in memory */
	assert_non_null(spool_message_file(m));
	assert_int_equal(atomic_load(&first.slot->spool), 60000);
	assert_int_equal(counters_spool(counters), 260000);
	spool_message_free(&m);
	assert_int_equal(counters_spool(counters), 200000);
	spool_message_free(&n);
	assert_int_equal(counters_spool(counters), 0);
}

static void new_headers_are_counted(void **state)
{
	struct spool_message *m = make(&first, SPOOLED_ID, 200000);

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_true(spool_message_set_header(m, "\r\n", 2));
		assert_non_null(spool_message_file(m));
		assert_int_equal(counters_spool(counters), 200000 - strlen(HEADER) + 2);
	}
	spool_message_free(&m);
	assert_int_equal(counters_spool(counters), 0);

	/* Both files are there for a moment. */
	m = make(&first, SPOOLED_ID, 300000);
	assert_true(spool_message_set_header(m, "\r\n", 2));
	assert_null(spool_message_file(m));
	assert_int_equal(errno, EDQUOT);
	assert_int_equal(counters_spool(counters), 300000);
	spool_message_free(&m);
	assert_int_equal(counters_spool(counters), 0);
}

static void beyond_the_limit_it_breaks(void **state)
{
	struct spool_message *m = make(&first, SPOOLED_ID, 300000);
	struct spool_message *n = make(&second, "01JD9Z8K3X7F4Y5N0002", 100000);

	(void)state;
	errno = 0;
	assert_false(spool_message_append(n, spooled_pattern, 100001));
	assert_int_equal(errno, EDQUOT);
	assert_false(spool_message_append(n, "x", 1));
	assert_int_equal(errno, EDQUOT);
	assert_int_equal(scratch_count(spooled_dir), 1);
	assert_int_equal(counters_spool(counters), 300000);
	spool_message_free(&n);

	n = make(&second, "01JD9Z8K3X7F4Y5N0002", 100000);
	assert_true(spool_message_append(n, spooled_pattern, 100000)); /* just up to it */
	assert_int_equal(counters_spool(counters), LIMIT);
	spool_message_free(&m);
	assert_true(spool_message_append(n, spooled_pattern, 300000));
	spool_message_free(&n);
	assert_int_equal(counters_spool(counters), 0);
}

static void memory_stays_usable(void **state)
{
	struct spool_message *m = make(&first, SPOOLED_ID, LIMIT - 1000);
	struct spool_message *n = make(&second, "01JD9Z8K3X7F4Y5N0002", 1001);
	size_t len;

	(void)state;
	assert_null(spool_message_file(n));
	assert_int_equal(errno, EDQUOT);
	assert_int_equal(scratch_count(spooled_dir), 1);
	assert_non_null(spool_message_data(n, &len));
	assert_int_equal(len, 1001);
	spool_message_free(&m);
	assert_non_null(spool_message_file(n));
	spool_message_free(&n);
	assert_int_equal(counters_spool(counters), 0);
}

static void no_limit_but_counted(void **state)
{
	struct spool_message *m;

	(void)state;
	first.limit = 0;
	m = make(&first, SPOOLED_ID, LIMIT + 1);
	assert_int_equal(counters_spool(counters), LIMIT + 1);
	spool_message_free(&m);
	assert_int_equal(counters_spool(counters), 0);
}

/* The master may have set the slot of a worker to 0 that is still there. */
static void count_does_not_wrap(void **state)
{
	struct spool_message *m = make(&first, SPOOLED_ID, 200000);

	(void)state;
	atomic_store(&first.slot->spool, 1000);
	spool_message_free(&m);
	assert_int_equal(counters_spool(counters), 0);
}

/* Another process comes for the last octets at the worst moment: both may be refused, and never are
 * both let through. */
static void two_at_the_same_time(void **state)
{
	struct spool_message *m = make(&first, SPOOLED_ID, 200000);
	bool ok;

	(void)state;
	other = make(&second, "01JD9Z8K3X7F4Y5N0002", 100000);
	ok = spool_message_append(m, spooled_pattern, 150000);
	assert_null(other); /* it did come */
	assert_false(ok && other_ok);
	assert_true(ok);
	assert_int_equal(counters_spool(counters), 350000);
	spool_message_free(&m);
	assert_int_equal(counters_spool(counters), 0);
	assert_int_equal(scratch_count(spooled_dir), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, spooled_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_are_counted),	  TEST(new_headers_are_counted),
		TEST(beyond_the_limit_it_breaks), TEST(memory_stays_usable),
		TEST(no_limit_but_counted),	  TEST(count_does_not_wrap),
		TEST(two_at_the_same_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
