/* list, ident, mem and log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ident.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"

struct item {
	int value;
	struct list link;
};

static void test_list(void **state)
{
	struct list head;
	struct item items[5];
	int sum = 0;

	(void)state;
	list_init(&head);
	assert_true(list_empty(&head));
	for (int i = 0; i < 5; i++) {
		items[i].value = i;
		list_append(&head, &items[i].link);
	}
	list_remove(&items[2].link);
	list_remove(&items[2].link);
	list_each(at, after, &head)
	{
		struct item *item = list_of(at, struct item, link);

		sum = sum * 10 + item->value;
		list_remove(at);
	}
	assert_int_equal(sum, 134);
	assert_true(list_empty(&head));
}

static void test_ident(void **state)
{
	static char seen[20000][IDENT_SIZE];

	(void)state;
	ident_seed();
	for (size_t i = 0; i < 20000; i++) {
		ident_make(seen[i]);
		assert_int_equal(strspn(seen[i], "0123456789ABCDEFGHJKMNPQRSTVWXYZ"),
				 IDENT_SIZE - 1);
	}
	qsort(seen, 20000, IDENT_SIZE, (int (*)(const void *, const void *))strcmp);
	for (size_t i = 1; i < 20000; i++)
		assert_string_not_equal(seen[i - 1], seen[i]);
}

static void test_mem(void **state)
{
	char *a = mem_copy_string("text"), *b = mem_copy_bytes("a\0b", 3), *c = mem_new(0);

	(void)state;
	assert_string_equal(a, "text");
	assert_memory_equal(b, "a\0b\0", 4);
	assert_non_null(c);
	assert_null(mem_copy_string(NULL));
	free(a);
	free(b);
	free(c);
}

/* What log_error() writes, in a form and at a threshold. */
static void capture(enum log_level level, bool json, char *out, size_t size)
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(file);
	dup2(fileno(file), STDERR_FILENO);
	log_setup(level, json, "worker 3");
	log_error("client said %s", "\"EHLO\r\nforged \\u0022line");
	log_info("quiet");
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	n = fread(out, 1, size - 1, file);
	out[n] = '\0';
	fclose(file);
}

static void test_log(void **state)
{
	char out[1024];

	(void)state;
	capture(LOG_WARNING_LEVEL, false, out, sizeof out);
	assert_non_null(strstr(
		out, " worker 3 error: client said \"EHLO\\u000d\\u000aforged \\u005cu0022line\n"));
	assert_null(strstr(out, "quiet"));
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
	capture(LOG_INFO_LEVEL, true, out, sizeof out);
	assert_non_null(strstr(
		out, "\"level\":\"error\",\"process\":\"worker 3\",\"message\":\"client said "
		     "\\u0022EHLO\\u000d\\u000aforged \\u005cu0022line\"}\n"));
	assert_non_null(strstr(out, "\"message\":\"quiet\"}\n"));
}

static size_t lines_in(const char *path)
{
	FILE *in = fopen(path, "re");
	size_t lines = 0;
	int c;

	assert_non_null(in);
	while ((c = fgetc(in)) != EOF)
		lines += c == '\n';
	fclose(in);
	return lines;
}

/* A file that is moved away, and a child that is told of the new one's descriptor. */
static void test_log_file(void **state)
{
	char path[64], moved[72];
	pid_t child;
	int status, number;

	(void)state;
	snprintf(path, sizeof path, "/tmp/gatepost-log.%d", (int)getpid());
	snprintf(moved, sizeof moved, "%s.1", path);
	log_setup(LOG_INFO_LEVEL, false, "test");
	log_share();
	assert_int_equal(log_open("/nonexistent/log"), -1);
	log_use(log_open(path));
	number = log_descriptor();
	log_info("one");
	assert_int_equal(rename(path, moved), 0);
	log_info("two");
	log_use(log_open(path));
	assert_int_equal(log_descriptor(), number);
	child = fork();
	if (!child) {
		log_name("child");
		log_info("three");
		log_setup(LOG_ERROR_LEVEL, false, "child");
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	log_info("the child has made this one too quiet");
	assert_int_equal(lines_in(moved), 2);
	assert_int_equal(lines_in(path), 1);
	log_use(log_open(NULL));
	unlink(path);
	unlink(moved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),	 cmocka_unit_test(test_ident),
		cmocka_unit_test(test_mem),	 cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
