#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <gatepost/policy.h>

#include "examples.h"

/* The request of one line, as a service that asked for every hook gets it; NULL when refused. */
static struct gatepost_request *take(const char *line, size_t len)
{
	const struct gatepost_policy_options options = {.service = "t",
							.hooks = (1u << GATEPOST_HOOK_MAX) - 1,
							.body = {GATEPOST_BODY_FD},
							.body_len = 1};
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct gatepost_error error;
	struct gatepost_policy *policy = gatepost_policy_new(&options, &error);
	struct gatepost_request *request;
	const char *names[] = {"valid/hello-policy.json", "valid/ready-scanner.json"};

	for (size_t i = 0; i < 2; i++) {
		size_t n;
		char *first = examples_read(names[i], &n);

		assert_true(gatepost_policy_feed(policy, first, n));
		assert_true(gatepost_policy_feed(policy, "\n", 1));
		free(first);
	}
	if (strstr(line, "\"mode\":\"fd\""))
		gatepost_policy_feed_fds(policy, &fd, 1);
	else
		close(fd);
	gatepost_policy_feed(policy, line, len);
	gatepost_policy_feed(policy, "\n", 1);
	request = gatepost_policy_next(policy);
	gatepost_policy_free(&policy);
	return request;
}

static struct gatepost_request *take_example(const char *name)
{
	size_t len;
	char *line = examples_read(name, &len);
	struct gatepost_request *request = take(line, len);

	free(line);
	assert_non_null(request);
	return request;
}

static void read_one(const char *name, const char *line, size_t len)
{
	struct gatepost_request *request = take(line, len);

	if (!request)
		fail_msg("%s is refused", name);
	assert_string_equal(gatepost_request_session(request), "01K2F7Q8ZB4M9XW3T6RY");
	assert_non_null(gatepost_hook_word(gatepost_request_hook(request)));
	assert_non_null(gatepost_request_message(request));
	gatepost_request_free(&request);
}

static void test_every_example(void **state)
{
	(void)state;
	assert_true(examples_each("valid", "request-", read_one) >= 20);
}

static void test_rcpt(void **state)
{
	struct gatepost_request *r = take_example("valid/request-rcpt.json");
	const char *value = "?";
	int64_t number = 0;
	size_t len;

	(void)state;
	assert_int_equal(gatepost_request_hook(r), GATEPOST_HOOK_RCPT);
	assert_string_equal(gatepost_request_key(r), "01K2F7Q9A0C5N8PVD2HJ.rcpt.1.greylist");
	assert_string_equal(gatepost_request_transaction(r), "01K2F7Q9A0C5N8PVD2HJ");
	assert_int_equal(gatepost_request_deadline_ms(r), 2990);
	assert_string_equal(gatepost_request_mailbox(r), "bob@example.org");
	assert_string_equal(gatepost_request_sender(r), "alice@example.net");
	assert_string_equal(gatepost_request_text(r, "client.ip"), "203.0.113.10");
	assert_string_equal(gatepost_request_text(r, "tls.version"), "TLSv1.3");
	assert_null(gatepost_request_text(r, "auth.user"));
	assert_null(gatepost_request_text(r, "index")); /* no string */
	assert_true(gatepost_request_integer(r, "index", &number));
	assert_int_equal(number, 1);
	assert_false(gatepost_request_integer(r, "address", &number));
	assert_true(gatepost_request_param(r, NULL, "notify", &value, &len));
	assert_string_equal(value, "SUCCESS,FAILURE");
	assert_true(gatepost_request_param(r, "mail", "SIZE", &value, &len));
	assert_string_equal(value, "12345");
	assert_false(gatepost_request_param(r, "mail", "X", &value, &len));
	assert_false(gatepost_request_param(r, "nobody", "X", &value, &len));
	assert_int_equal(gatepost_request_body(r), GATEPOST_BODY_NONE);
	gatepost_request_free(&r);
}

static void test_exact_octets(void **state)
{
	struct gatepost_request *r = take_example("valid/request-rcpt-octets.json");
	const char *value;
	size_t len;

	(void)state;
	assert_string_equal(gatepost_request_text(r, "local"), "b\xef\xbf\xbd"
							       "b");
	value = gatepost_request_octets(r, "local", &len);
	assert_int_equal(len, 3);
	assert_memory_equal(value,
			    "b\xf6"
			    "b",
			    4);
	value = gatepost_request_octets(r, "domain", &len);
	assert_int_equal(len, 11);
	assert_string_equal(value, "example.org");
	assert_null(gatepost_request_octets(r, "nothing", &len));
	assert_true(gatepost_request_param(r, NULL, "X", &value, &len));
	assert_int_equal(len, 1);
	assert_memory_equal(value, "\xff", 2);
	assert_true(gatepost_request_param(r, NULL, "Y", &value, &len));
	assert_null(value);
	gatepost_request_free(&r);
}

static void test_null_and_postmaster(void **state)
{
	struct gatepost_request *r = take_example("valid/request-mail-null.json");

	(void)state;
	assert_string_equal(gatepost_request_mailbox(r), "");
	assert_string_equal(gatepost_request_sender(r), "");
	gatepost_request_free(&r);
	r = take_example("valid/request-rcpt-postmaster.json");
	assert_string_equal(gatepost_request_mailbox(r), "postmaster");
	gatepost_request_free(&r);
	r = take_example("valid/request-connect.json");
	assert_null(gatepost_request_mailbox(r));
	assert_null(gatepost_request_sender(r));
	assert_null(gatepost_request_transaction(r));
	gatepost_request_free(&r);
}

static void test_recipients(void **state)
{
	struct gatepost_request *r = take_example("valid/request-data.json");
	int64_t number = 0;
	bool verified = true;

	(void)state;
	assert_true(gatepost_request_integer(r, "recipients", &number));
	assert_int_equal(number, 2);
	assert_int_equal(gatepost_request_recipients_len(r), 2);
	assert_string_equal(gatepost_request_recipient(r, 0), "bob@example.org");
	assert_string_equal(gatepost_request_recipient(r, 1), "carol smith@example.org");
	assert_null(gatepost_request_recipient(r, 2));
	assert_string_equal(gatepost_request_text(r, "recipients.1.address"),
			    "\"carol smith\"@example.org");
	assert_null(gatepost_request_text(r, "recipients.2.address"));
	assert_null(gatepost_request_text(r, "recipients.x.address"));
	assert_null(gatepost_request_text(r, "recipients..address"));
	gatepost_request_free(&r);
	r = take_example("valid/request-secure-peer.json");
	assert_true(gatepost_request_boolean(r, "tls.peer.verified", &verified));
	assert_false(verified);
	gatepost_request_free(&r);
}

static void test_credentials(void **state)
{
	struct gatepost_request *r = take_example("valid/request-auth-authzid.json");
	const char *password;
	size_t len;

	(void)state;
	assert_string_equal(gatepost_request_text(r, "authzid"), "alice@example.org");
	password = gatepost_request_octets(r, "password", &len);
	assert_int_equal(len, 1);
	assert_memory_equal(password, "\xff", 2);
	gatepost_request_free(&r);
}

static void test_bad_base64_in_the_context(void **state)
{
	static const char bad[] =
		"{\"type\":\"request\",\"id\":1,\"key\":\"k\",\"attempt\":1,\"hook\":"
		"\"connect\",\"session\":\"s\","
		"\"deadline_ms\":1,\"args\":{},\"context\":{\"helo\":{\"verb\":"
		"\"EHLO\",\"name\":\"a\","
		"\"name_b64\":\"%%%%\"}}}";

	(void)state;
	assert_null(take(bad, sizeof bad - 1));
}

static void test_labels_and_keep(void **state)
{
	struct gatepost_request *r = take_example("valid/request-rcpt-keep.json");
	int64_t seen = 0;
	bool is_new = false;

	(void)state;
	assert_true(gatepost_request_has_label(r, "bulk"));
	assert_true(gatepost_request_has_label(r, "greylist.passed"));
	assert_false(gatepost_request_has_label(r, "greylist"));
	assert_string_equal(gatepost_request_text(r, "labels.1"), "greylist.passed");
	assert_string_equal(gatepost_request_keep_session(r), "{\"seen\":3}");
	assert_string_equal(gatepost_request_keep_transaction(r), "{\"new\":true}");
	assert_true(gatepost_request_integer(r, "keep.session.seen", &seen) && seen == 3);
	assert_true(gatepost_request_boolean(r, "keep.transaction.new", &is_new) && is_new);
	assert_false(gatepost_request_integer(r, "keep.session.new", &seen));
	gatepost_request_free(&r);
	r = take_example("valid/request-disconnect-keep.json");
	assert_string_equal(gatepost_request_keep_session(r), "{\"seen\":3}");
	assert_null(gatepost_request_keep_transaction(r));
	gatepost_request_free(&r);
	r = take_example("valid/request-rcpt.json");
	assert_false(gatepost_request_has_label(r, "bulk"));
	assert_null(gatepost_request_keep_session(r));
	gatepost_request_free(&r);
}

static void test_memory_of_a_request(void **state)
{
	struct gatepost_request *r = take_example("valid/request-rcpt.json");
	char *memory = gatepost_request_alloc(r, 1000);

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(memory[i], 0);
	assert_non_null(gatepost_request_alloc(r, 0));
	assert_string_equal(gatepost_request_format(r, "%d-%s", 7, "x"), "7-x");
	gatepost_request_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_example),
		cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_labels_and_keep),
		cmocka_unit_test(test_memory_of_a_request),
		cmocka_unit_test(test_exact_octets),
		cmocka_unit_test(test_null_and_postmaster),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_bad_base64_in_the_context),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
