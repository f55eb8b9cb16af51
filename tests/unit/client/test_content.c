#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <gatepost/policy.h>

#define HELLO                                                                                      \
	"{\"type\":\"hello\",\"protocol\":\"gatepost-policy\",\"versions\":[1],\"gateway\":"       \
	"{\"name\":\"a\",\"epoch\":\"b\"},\"hooks\":[],\"context\":[],\"body\":[],\"limits\":{},"  \
	"\"ping_ms\":1}"                                                                           \
	"\n"

static char root[] = "/tmp/gatepost-client.XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* A message request with this body and size. `spool` is the JSON of ready's field. */
static struct gatepost_request *ask(const char *spool, const char *body, int size)
{
	const struct gatepost_policy_options options = {.service = "t",
							.hooks = 1u << GATEPOST_HOOK_MESSAGE};
	struct gatepost_error error;
	struct gatepost_policy *policy = gatepost_policy_new(&options, &error);
	struct gatepost_request *request;
	char text[2048];

	snprintf(text, sizeof text,
		 HELLO
		 "{\"type\":\"ready\",\"version\":1,\"policy\":\"p\",\"hooks\":{},"
		 "\"missing\":[],\"window\":1,\"body\":[],\"spool\":%s}\n"
		 "{\"type\":\"request\",\"id\":7,\"key\":\"k\",\"attempt\":1,\"hook\":\"message\","
		 "\"session\":\"s\",\"deadline_ms\":1,\"args\":{\"size\":%d,\"body\":%s},"
		 "\"context\":{}}\n",
		 spool, size, body);
	gatepost_policy_feed(policy, text, strlen(text));
	request = gatepost_policy_next(policy);
	gatepost_policy_free(&policy);
	assert_non_null(request);
	return request;
}

static void check(const char *spool, const char *body, int size, const char *expected)
{
	struct gatepost_request *request = ask(spool, body, size);
	struct gatepost_error error;
	const char *data;
	size_t len = 99;

	data = gatepost_request_content(request, &len, &error);
	if (expected) {
		if (!data)
			fail_msg("%s: %s", body, error.message);
		assert_int_equal(len, strlen(expected));
		assert_string_equal(data, expected);
	} else if (data || strcmp(error.code, "content") != 0) {
		fail_msg("%s is read", body);
	}
	gatepost_request_free(&request);
}

static void test_modes(void **state)
{
	struct gatepost_request *request;
	struct gatepost_error error;
	size_t len;

	(void)state;
	check("null", "{\"mode\":\"inline\",\"data_b64\":\"aGVsbG8=\"}", 5, "hello");
	check("null", "{\"mode\":\"inline\",\"data_b64\":\"\"}", 0, "");
	check("null", "{\"mode\":\"inline\",\"data_b64\":\"aGVsbG8=\"}", 6, NULL);
	check("null", "{\"mode\":\"headers\",\"headers_b64\":\"aGVsbG8=\"}", 600, "hello");
	request = ask("null", "{\"mode\":\"headers\",\"headers_b64\":\"\",\"headers_trunc\":9}", 9);
	assert_int_equal(gatepost_request_body(request), GATEPOST_BODY_HEADERS);
	assert_int_equal(gatepost_request_headers_trunc(request), 9);
	gatepost_request_free(&request);
	request = ask("null", "{\"mode\":\"none\"}", 9);
	assert_null(gatepost_request_content(request, &len, &error));
	assert_string_equal(error.code, "");
	assert_int_equal(gatepost_request_open(request, &error), -1);
	gatepost_request_free(&request);
}

static void test_path(void **state)
{
	struct gatepost_request *request;
	struct gatepost_error error;
	char spool[64], buf[8];
	int fd;

	(void)state;
	snprintf(spool, sizeof spool, "\"%s/spool\"", root);
	check(spool, "{\"mode\":\"path\",\"path\":\"m.eml\"}", 5, "hello");
	check(spool, "{\"mode\":\"path\",\"path\":\"in/m.eml\"}", 2, "in");
	check(spool, "{\"mode\":\"path\",\"path\":\"m.eml\"}", 4, NULL);
	check(spool, "{\"mode\":\"path\",\"path\":\"m.eml\"}", 6, NULL);
	request = ask(spool, "{\"mode\":\"path\",\"path\":\"m.eml\"}", 5);
	fd = gatepost_request_open(request, &error);
	gatepost_request_free(&request);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, buf, sizeof buf), 5);
	close(fd);
}

/* What lies outside the spool is there and readable, and is not read. */
static void test_unsafe_paths(void **state)
{
	static const char *const paths[] = {
		"../secret", "in/../../secret", "in/../m.eml", "./m.eml",
		"in//m.eml", "/m.eml",		"m.eml/",      "",
		"link",	     "linkdir/m.eml",	"in",	       "nothing",
		"fifo",
	};
	char spool[64], body[256];

	(void)state;
	snprintf(spool, sizeof spool, "\"%s/spool\"", root);
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		snprintf(body, sizeof body, "{\"mode\":\"path\",\"path\":\"%s\"}", paths[i]);
		check(spool, body, 6, NULL);
		check(spool, body, 2, NULL);
	}
	check("null", "{\"mode\":\"path\",\"path\":\"m.eml\"}", 5, NULL);
	check("\"spool\"", "{\"mode\":\"path\",\"path\":\"m.eml\"}", 5, NULL);
	check("\"/nonexistent\"", "{\"mode\":\"path\",\"path\":\"m.eml\"}", 5, NULL);
}

static int set_up(void **state)
{
	char path[256], target[256];

	(void)state;
	assert_non_null(mkdtemp(root));
	assert_int_equal(chdir(root), 0);
	assert_int_equal(mkdir("spool", 0700) | mkdir("spool/in", 0700), 0);
	write_file("secret", "secret");
	write_file("spool/m.eml", "hello");
	write_file("spool/in/m.eml", "in");
	snprintf(path, sizeof path, "%s/spool/link", root);
	snprintf(target, sizeof target, "%s/secret", root);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(symlink("in", "spool/linkdir"), 0);
	return mkfifo("spool/fifo", 0600);
}

static int tear_down(void **state)
{
	static const char *const files[] = {"secret",	  "spool/m.eml",   "spool/in/m.eml",
					    "spool/link", "spool/linkdir", "spool/fifo"};

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		unlink(files[i]);
	return rmdir("spool/in") | rmdir("spool") | rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_unsafe_paths),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
