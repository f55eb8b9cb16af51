/* How the content of a message goes along, and what happens when it cannot. */
#include "world.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "protocol/handshake.h"
#include "protocol/jsonl.h"

#define REQUEST "\"type\":\"request\""

#define REGISTER(body)                                                                             \
	"{\"type\":\"register\",\"version\":1,\"hooks\":{\"message\":{},\"data\":{}},"             \
	"\"body\":[" body "],\"window\":200}\n"

static char content[PROTOCOL_INLINE_MAX + 1];

static void start(struct world *world, const char *registration)
{
	world->settings.services_len = 1;
	world->fakes[1].registration = NULL;
	world->fakes[0].registration = registration;
	memset(content, 'x', sizeof content);
	memcpy(content, "Subject: hi\r\n\r\n", 15);
	world_start(world);
}

static void message_init(struct asked *asked, struct world *world, uint64_t size)
{
	asked_init(asked, world);
	asked->request.hook = HOOK_MESSAGE;
	asked->request.message = &asked->message;
	asked->message = (struct hook_message){
		.size = size,
		.headers = content,
		.headers_len = 13,
		.headers_full = 13,
		.data = content,
	};
	asked->path = "a/01FILE";
}

static const char *expect_sent(struct asked *asked)
{
	asked_start(asked);
	asked_expect(asked, VERDICT_ACCEPT, 0, NULL, "");
	asked_fini(asked);
	return fake_line(&asked->world->fakes[0], REQUEST, 0);
}

static void test_none(void **state)
{
	struct asked asked;
	const char *line;

	start(*state, REGISTER("\"none\""));
	message_init(&asked, *state, 100);
	line = expect_sent(&asked);
	assert_non_null(strstr(line, "\"mode\":\"none\""));
	assert_null(strstr(line, "_b64"));
	assert_int_equal(asked.paths_made, 0);
}

static void test_headers(void **state)
{
	struct asked asked;
	const char *line;

	start(*state, REGISTER("\"headers\",\"path\""));
	message_init(&asked, *state, 100);
	line = expect_sent(&asked);
	assert_non_null(strstr(line, "\"headers_b64\":\"U3ViamVjdDogaGkNCg==\""));
	assert_int_equal(asked.paths_made, 0);
}

static void test_inline_at_the_limit(void **state)
{
	struct asked asked;
	const char *line;

	start(*state, REGISTER("\"inline\",\"path\""));
	message_init(&asked, *state, PROTOCOL_INLINE_MAX);
	line = expect_sent(&asked);
	assert_non_null(
		strstr(line, "\"mode\":\"inline\",\"data_b64\":\"U3ViamVjdDogaGkNCg0KeHh4"));
	assert_true(strlen(line) > PROTOCOL_INLINE_MAX * 4 / 3);
	assert_int_equal(asked.paths_made, 0);
}

static void test_too_large_for_inline(void **state)
{
	struct asked asked;

	start(*state, REGISTER("\"inline\",\"path\""));
	message_init(&asked, *state, PROTOCOL_INLINE_MAX + 1);
	assert_non_null(strstr(expect_sent(&asked), "\"mode\":\"path\",\"path\":\"a/01FILE\""));
	assert_int_equal(asked.paths_made, 1);
}

static void test_not_in_memory_for_inline(void **state)
{
	struct asked asked;

	start(*state, REGISTER("\"inline\",\"headers\""));
	message_init(&asked, *state, 100);
	asked.message.data = NULL;
	assert_non_null(strstr(expect_sent(&asked), "\"mode\":\"headers\""));
}

static void test_path_is_made_once(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world->fakes[0].registration = world->fakes[1].registration = REGISTER("\"path\"");
	world_start(world);
	message_init(&asked, world, 100);
	expect_sent(&asked);
	assert_non_null(fake_line(&world->fakes[1], "\"path\":\"a/01FILE\"", 0));
	assert_int_equal(asked.paths_made, 1);
}

static void test_path_cannot_be_made(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_on_failure(world, 0, VERDICT_ACCEPT);
	start(world, REGISTER("\"path\""));
	message_init(&asked, world, 100);
	asked.path = NULL;
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 452, "4.3.1", "one");
	assert_string_equal(asked.verdict.text, "Insufficient system storage");
	assert_true(world_has_event(world, "hook=message class=storage action=tempfail"));
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 0);
	asked_fini(&asked);
}

/* --- a descriptor beside the line --- */

static void put_file(struct world *world, char *path, size_t size)
{
	int fd;

	snprintf(path, size, "%s/content", world->directory);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "Hello", 5), 5);
	close(fd);
}

static void test_descriptor_comes_with_the_request(void **state)
{
	struct world *world = *state;
	struct fake_service *fake = &world->fakes[0];
	struct asked asked;
	char path[128], data[16];

	start(world, REGISTER("\"fd\""));
	put_file(world, path, sizeof path);
	for (size_t i = 0; i < 2; i++) {
		message_init(&asked, world, 5);
		asked.body = path;
		expect_sent(&asked);
		assert_int_equal(asked.paths_made, 0);
	}
	unlink(path);
	assert_int_equal(fake_count(fake, "\"body\":{\"mode\":\"fd\"}"), 2);
	assert_int_equal(fake->fds_len, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(read(fake->fds[i], data, sizeof data), 5);
		assert_memory_equal(data, "Hello", 5);
	}
}

/* Questions of other hooks come without. */
static void test_descriptor_for_a_message_only(void **state)
{
	struct world *world = *state;
	struct asked asked;

	start(world, REGISTER("\"fd\""));
	asked_init(&asked, world);
	asked.request.hook = HOOK_DATA;
	expect_sent(&asked);
	assert_int_equal(world->fakes[0].fds_len, 0);
}

/* The line is as good as before. */
static void test_descriptor_cannot_be_made(void **state)
{
	struct world *world = *state;
	struct asked asked;

	world_on_failure(world, 0, VERDICT_ACCEPT);
	start(world, REGISTER("\"fd\",\"path\""));
	message_init(&asked, world, 100);
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 452, "4.3.1", "one");
	assert_true(world_has_event(world, "hook=message class=storage action=tempfail"));
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 0);
	asked_fini(&asked);
	message_init(&asked, world, 100);
	asked.body = "/dev/null";
	expect_sent(&asked);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 1);
	assert_int_equal(world->fakes[0].fds_len, 1);
}

/* More recipients than a line can hold: not sent, not accepted, and the line lives on. */
static void test_request_too_long(void **state)
{
	enum { RECIPIENTS = 20000 };
	struct world *world = *state;
	struct hook_mailbox *recipients = mem_new(RECIPIENTS * sizeof *recipients);
	struct asked asked;

	world_on_failure(world, 0, VERDICT_ACCEPT);
	start(world, REGISTER("\"none\""));
	asked_init(&asked, world);
	asked.request.hook = HOOK_DATA;
	for (size_t i = 0; i < RECIPIENTS; i++)
		recipients[i] = asked.mailbox;
	asked.request.context.recipients = recipients;
	asked.request.context.recipients_len = RECIPIENTS;
	assert_false(asked_start(&asked));
	asked_expect(&asked, VERDICT_TEMPFAIL, 451, "4.3.0", "one");
	assert_true(world_has_event(world, "hook=data class=internal action=tempfail"));
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 0);
	asked_fini(&asked);
	free(recipients);
	message_init(&asked, world, 100);
	expect_sent(&asked);
}

/* A service that does not read gets no more than the writing buffer holds; the rest waits, and goes
 * on when it reads again. */
static void test_service_that_does_not_read(void **state)
{
	enum { ASKED = 100 };
	struct world *world = *state;
	struct asked *asked = mem_new(ASKED * sizeof *asked);

	world->services[0].timeout = 60;
	start(world, REGISTER("\"inline\",\"path\""));
	fake_pause(&world->fakes[0], true);
	for (size_t i = 0; i < ASKED; i++) {
		message_init(&asked[i], world, PROTOCOL_INLINE_MAX);
		assert_false(asked_start(&asked[i]));
	}
	for (int i = 0; i < 5; i++)
		world_turn(world);
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), 0);
	fake_pause(&world->fakes[0], false);
	for (size_t i = 0; i < ASKED; i++) {
		asked_expect(&asked[i], VERDICT_ACCEPT, 0, NULL, "");
		asked_fini(&asked[i]);
	}
	assert_int_equal(fake_count(&world->fakes[0], REQUEST), ASKED);
	assert_int_equal(world->fakes[0].peers_len, 1);
	free(asked);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_none),
		TEST(test_headers),
		TEST(test_inline_at_the_limit),
		TEST(test_too_large_for_inline),
		TEST(test_not_in_memory_for_inline),
		TEST(test_path_is_made_once),
		TEST(test_path_cannot_be_made),
		TEST(test_descriptor_comes_with_the_request),
		TEST(test_descriptor_for_a_message_only),
		TEST(test_descriptor_cannot_be_made),
		TEST(test_request_too_long),
		TEST(test_service_that_does_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
