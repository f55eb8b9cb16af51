#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FD_ARGS(size)	 "{\"size\":" #size ",\"body\":{\"mode\":\"fd\"}}"
#define ASK_FD(id, size) WIRE_ASK(id, "message", FD_ARGS(size), WIRE_CONTEXT)

static const struct gatepost_policy_options options = {.service = "test",
						       .hooks = 1u << GATEPOST_HOOK_MESSAGE,
						       .body = {GATEPOST_BODY_FD},
						       .body_len = 1,
						       .window = 4};

static struct gatepost_policy *make_ready(const struct gatepost_policy_options *o)
{
	struct gatepost_policy *policy = wire_new(o);

	assert_true(wire_feed(policy, WIRE_HELLO));
	assert_true(wire_feed(policy, WIRE_READY(",\"hooks\":{\"message\":{}}")));
	wire_drop_out(policy);
	return policy;
}

static int file_of(const char *text)
{
	char path[] = "/tmp/gatepost-client-fd.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void expect_content(struct gatepost_policy *policy, const char *text)
{
	struct gatepost_request *request = gatepost_policy_next(policy);
	struct gatepost_error error;
	const char *data;
	size_t len;

	assert_non_null(request);
	assert_int_equal(gatepost_request_body(request), GATEPOST_BODY_FD);
	data = gatepost_request_content(request, &len, &error);
	if (!data)
		fail_msg("%s", error.message);
	assert_string_equal(data, text);
	gatepost_request_free(&request);
}

static void test_matched_by_order(void **state)
{
	struct gatepost_policy *policy = make_ready(&options);
	int fds[] = {file_of("one"), file_of("three"), file_of("fourth")};

	(void)state;
	gatepost_policy_feed_fds(policy, fds, 1);
	assert_true(wire_feed(policy, ASK_FD(1, 3)));
	assert_true(wire_feed(
		policy,
		WIRE_ASK(2, "message", "{\"size\":0,\"body\":{\"mode\":\"none\"}}", WIRE_CONTEXT)));
	gatepost_policy_feed_fds(policy, fds + 1, 2);
	assert_true(wire_feed(policy, ASK_FD(3, 5) ASK_FD(4, 6)));
	expect_content(policy, "one");
	struct gatepost_request *request = gatepost_policy_next(policy);
	assert_int_equal(gatepost_request_body(request), GATEPOST_BODY_NONE);
	gatepost_request_free(&request);
	expect_content(policy, "three");
	expect_content(policy, "fourth");
	for (size_t i = 0; i < 3; i++)
		assert_false(is_open(fds[i])); /* closed with their requests */
	gatepost_policy_free(&policy);
}

/* The request's own stays where it is; a copy is the caller's, and outlives the request. */
static void test_open_gives_a_copy(void **state)
{
	struct gatepost_policy *policy = make_ready(&options);
	int fd = file_of("text"), copy;
	struct gatepost_request *request;
	struct gatepost_error error;
	char text[8] = "";
	size_t len;

	(void)state;
	gatepost_policy_feed_fds(policy, &fd, 1);
	assert_true(wire_feed(policy, ASK_FD(1, 4)));
	request = gatepost_policy_next(policy);
	assert_string_equal(gatepost_request_content(request, &len, &error), "text");
	copy = gatepost_request_open(request, &error);
	assert_true(copy >= 0 && copy != fd);
	assert_true(fcntl(copy, F_GETFD) & FD_CLOEXEC);
	gatepost_request_free(&request);
	gatepost_policy_free(&policy);
	assert_false(is_open(fd));
	assert_int_equal(read(copy, text, sizeof text - 1), 4);
	assert_string_equal(text, "text");
	close(copy);
}

static void expect_fault(struct gatepost_policy *policy)
{
	assert_string_equal(gatepost_policy_error(policy)->code, "bad_message");
	gatepost_policy_free(&policy);
}

static void test_a_missing_one_ends_the_connection(void **state)
{
	struct gatepost_policy *policy = make_ready(&options);

	(void)state;
	assert_false(wire_feed(policy, ASK_FD(1, 4)));
	assert_null(gatepost_policy_next(policy));
	expect_fault(policy);
}

/* Whose descriptor is it? Going on would show the wrong message to somebody. */
static void test_an_unclear_owner_ends_the_connection(void **state)
{
	struct gatepost_policy *policy = make_ready(&options);
	int fd = file_of("x");

	(void)state;
	gatepost_policy_feed_fds(policy, &fd, 1);
	assert_false(wire_feed(policy, WIRE_ASK(1, "message",
						"{\"size\":1,\"body\":{\"mode\":"
						"\"df\"}}",
						WIRE_CONTEXT)));
	expect_fault(policy);
	assert_false(is_open(fd));
}

/* A request in mode fd that is wrong otherwise is answered, and takes its descriptor with it. */
static void test_a_refused_request_takes_its_descriptor(void **state)
{
	struct gatepost_policy *policy = make_ready(&options);
	int fds[] = {file_of("wrong"), file_of("right")};
	const char *data;
	size_t len;

	(void)state;
	gatepost_policy_feed_fds(policy, fds, 2);
	assert_true(
		wire_feed(policy, WIRE_ASK(1, "message", FD_ARGS(-5), WIRE_CONTEXT) ASK_FD(2, 5)));
	assert_false(is_open(fds[0]));
	len = gatepost_policy_out(policy, &data);
	assert_non_null(memmem(data, len, "tempfail", 8));
	expect_content(policy, "right");
	gatepost_policy_free(&policy);
}

static void test_unclaimed_ones_are_closed(void **state)
{
	struct gatepost_policy_options path = options;
	struct gatepost_policy *policy = make_ready(&options);
	struct gatepost_request *request;
	int early = file_of("early"), late = file_of("late"), unwanted = file_of("unwanted");

	(void)state;
	gatepost_policy_feed_fds(policy, &early, 1);
	assert_true(is_open(early));
	assert_true(wire_feed(policy, "{\"type\":\"requ")); /* it may still come */
	gatepost_policy_feed_end(policy);
	gatepost_policy_feed_fds(policy, &late, 1);
	assert_false(is_open(late));
	gatepost_policy_free(&policy);
	assert_false(is_open(early));

	path.body[0] = GATEPOST_BODY_PATH; /* fd was not agreed */
	policy = make_ready(&path);
	gatepost_policy_feed_fds(policy, &unwanted, 1);
	assert_false(is_open(unwanted));
	assert_true(wire_feed(policy, ASK_FD(1, 8)));
	request = gatepost_policy_next(policy);
	assert_null(request);
	gatepost_policy_free(&policy);
}

static void test_more_than_the_window_ends_the_connection(void **state)
{
	struct gatepost_policy *policy = make_ready(&options);
	int fds[10];

	(void)state;
	for (size_t i = 0; i < 10; i++)
		fds[i] = file_of("x");
	gatepost_policy_feed_fds(policy, fds, 4);
	assert_string_equal(gatepost_policy_error(policy)->code, "");
	gatepost_policy_feed_fds(policy, fds + 4, 6);
	assert_false(wire_feed(policy, "\n"));
	expect_fault(policy);
	for (size_t i = 0; i < 10; i++)
		assert_false(is_open(fds[i]));
}

static void test_content_that_is_no_file_or_has_another_size(void **state)
{
	struct gatepost_policy *policy = make_ready(&options);
	struct gatepost_request *request;
	struct gatepost_error error;
	int ends[2], fd = file_of("12345");
	size_t len;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	gatepost_policy_feed_fds(policy, &ends[0], 1);
	gatepost_policy_feed_fds(policy, &fd, 1);
	assert_true(wire_feed(policy, ASK_FD(1, 4) ASK_FD(2, 4)));
	for (int i = 0; i < 2; i++) {
		request = gatepost_policy_next(policy);
		assert_null(gatepost_request_content(request, &len, &error));
		assert_string_equal(error.code, "content");
		gatepost_request_free(&request);
	}
	close(ends[1]);
	gatepost_policy_free(&policy);
}

/* What a request took stays its own when the connection ends. */
static void test_outlives_the_connection(void **state)
{
	struct gatepost_policy *policy = make_ready(&options);
	struct gatepost_request *request;
	struct gatepost_error error;
	int fds[] = {file_of("kept"), file_of("gone")};
	size_t len;

	(void)state;
	gatepost_policy_feed_fds(policy, fds, 2);
	assert_true(wire_feed(policy, ASK_FD(1, 4) ASK_FD(2, 4)));
	request = gatepost_policy_next(policy);
	gatepost_policy_free(&policy);
	assert_false(is_open(fds[1])); /* never taken */
	assert_string_equal(gatepost_request_content(request, &len, &error), "kept");
	gatepost_request_free(&request);
	assert_false(is_open(fds[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matched_by_order),
		cmocka_unit_test(test_open_gives_a_copy),
		cmocka_unit_test(test_a_missing_one_ends_the_connection),
		cmocka_unit_test(test_an_unclear_owner_ends_the_connection),
		cmocka_unit_test(test_a_refused_request_takes_its_descriptor),
		cmocka_unit_test(test_unclaimed_ones_are_closed),
		cmocka_unit_test(test_more_than_the_window_ends_the_connection),
		cmocka_unit_test(test_content_that_is_no_file_or_has_another_size),
		cmocka_unit_test(test_outlives_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
