#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void test_append_and_consume(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_null(buf_head(&b));
	assert_true(buf_append_string(&b, "hello "));
	assert_true(buf_printf(&b, "%s %d", "world", 7));
	assert_int_equal(b.len, 13);
	buf_consume(&b, 6);
	assert_memory_equal(buf_head(&b), "world 7", 7);
	buf_release(&b); /* not empty: nothing happens */
	assert_non_null(b.data);
	buf_consume(&b, 7);
	buf_release(&b);
	assert_null(b.data);
	assert_int_equal(b.size, 0);
	buf_fini(&b);
}

static void test_ceiling(void **state)
{
	char block[100];
	struct buf b;

	(void)state;
	memset(block, 'x', sizeof block);
	buf_init(&b, 150);
	assert_true(buf_append(&b, block, 100));
	assert_int_equal(buf_room(&b), 50);
	assert_false(buf_append(&b, block, 51));
	assert_true(b.overflow);
	assert_int_equal(b.len, 100); /* nothing of it was added */
	assert_true(buf_append(&b, block, 50));
	assert_true(b.overflow); /* and it stays set */
	assert_int_equal(buf_room(&b), 0);
	assert_true(b.size <= 150);
	buf_fini(&b);
}

static void test_space(void **state)
{
	struct buf b;
	size_t room;
	char *space;

	(void)state;
	buf_init(&b, 600);
	space = buf_space(&b, 10, &room);
	assert_non_null(space);
	assert_true(room >= 10);
	memcpy(space, "0123456789", 10);
	buf_added(&b, 10);
	buf_consume(&b, 5);
	space = buf_space(&b, 5000, &room); /* more than the ceiling: what is left of it */
	assert_int_equal(room, 595);
	assert_memory_equal(buf_head(&b), "56789", 5);
	memset(space, 'y', room);
	buf_added(&b, room);
	buf_space(&b, 1, &room);
	assert_int_equal(room, 0);
	buf_fini(&b);
}

/* Against a plain array: what goes in comes out, in order, whatever the pattern. */
static void test_model(void **state)
{
	struct buf b;
	uint32_t in = 0, out = 0;

	(void)state;
	buf_init(&b, 4096);
	srandom(1);
	for (int turn = 0; turn < 20000; turn++) {
		size_t n = (size_t)random() % 200;

		for (size_t i = 0; i < n && buf_room(&b); i++, in++) {
			char c = (char)(in * 7);

			assert_true(buf_append(&b, &c, 1));
		}
		n = (size_t)random() % 220;
		for (size_t i = 0; i < n && b.len; i++, out++) {
			assert_int_equal((unsigned char)*buf_head(&b), (unsigned char)(out * 7));
			buf_consume(&b, 1);
		}
		assert_int_equal(b.len, in - out);
	}
	assert_false(b.overflow);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append_and_consume),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_space),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
