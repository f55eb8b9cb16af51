#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "drive/drive_request.h"
#include "protocol/strict_json.h"

/* The request that a step becomes, as a service reads it. */
static json_t *make(struct drive_setting *setting, enum hook hook, const char *step)
{
	json_t *said = json_loads(step, 0, NULL), *made;
	struct json_out line = {0};
	char problem[256] = "", *end;

	assert_non_null(said);
	end = drive_request_make(setting, hook, said, problem, sizeof problem);
	if (!end)
		fail_msg("%s: %s", step, problem);
	drive_request_write(&line, setting, end, hook == HOOK_DISCONNECT ? 0 : 7);
	assert_int_equal(line.data[line.len - 1], '\n');
	made = strict_json_parse(line.data, line.len - 1, problem, sizeof problem);
	assert_non_null(made);
	json_decref(said);
	free(end);
	json_out_fini(&line);
	return made;
}

/* Whether the part of the request at `path` is this JSON; NULL: it is absent. */
static void check(json_t *request, const char *path, const char *wanted)
{
	json_t *found = request, *value = wanted ? json_loads(wanted, JSON_DECODE_ANY, NULL) : NULL;
	char word[64];
	char *shown;

	for (; *path && found; path += strlen(word) + (path[strlen(word)] == '.')) {
		snprintf(word, sizeof word, "%.*s", (int)strcspn(path, "."), path);
		found = json_is_array(found) ? json_array_get(found, (size_t)atoi(word))
					     : json_object_get(found, word);
	}
	shown = found ? json_dumps(found, JSON_ENCODE_ANY) : NULL;
	if ((found || value) && !json_equal(found, value))
		fail_msg("found %s, wanted %s", shown ? shown : "nothing",
			 wanted ? wanted : "nothing");
	free(shown);
	json_decref(value);
}

static void test_defaults(void **state)
{
	struct drive_setting setting;

	(void)state;
	drive_setting_init(&setting, 2.5);
	for (unsigned i = 0; i < HOOK_MAX; i++) {
		bool told = i == HOOK_DISCONNECT;
		json_t *request = make(&setting, (enum hook)i, "{}");
		char word[32];

		snprintf(word, sizeof word, "\"%s\"", hook_word((enum hook)i));
		check(request, "type", "\"request\"");
		check(request, "hook", word);
		check(request, "id", told ? NULL : "7");
		check(request, "attempt", told ? NULL : "1");
		check(request, "deadline_ms", told ? NULL : "2500");
		assert_int_equal(json_object_get(request, "key") != NULL, !told);
		assert_int_equal(json_object_get(request, "transaction") != NULL,
				 i >= HOOK_MAIL && i <= HOOK_MESSAGE);
		check(request, "context.client.ip", "\"203.0.113.10\"");
		check(request, "context.listener.name", "\"mx\"");
		json_decref(request);
	}
}

static void test_what_the_script_says(void **state)
{
	static const struct {
		enum hook hook;
		const char *step, *path, *wanted;
	} rows[] = {
		{HOOK_RCPT, "{\"args\":{\"address\":\"Al@B.example\"}}", "args.local", "\"Al\""},
		{HOOK_RCPT, "{\"args\":{\"address\":\"Al@B.example\"}}", "args.domain",
		 "\"B.example\""},
		{HOOK_RCPT, "{\"args\":{\"address\":\"Al@B.example\"}}", "args.index", "1"},
		{HOOK_RCPT, "{\"args\":{\"address\":\"postmaster\"}}", "args.local",
		 "\"postmaster\""},
		{HOOK_RCPT, "{\"args\":{\"address\":\"postmaster\"}}", "args.domain", "\"\""},
		{HOOK_RCPT, "{\"args\":{\"address\":\"a\",\"local\":\"b\"}}", "args.local",
		 "\"b\""},
		{HOOK_MAIL, "{\"args\":{\"address\":\"\"}}", "args.local", "\"\""},
		{HOOK_MAIL, "{\"args\":{\"address\":\"\\\"a \\\\\\\"b@\\\"@c.example\"}}",
		 "args.local", "\"a \\\"b@\""},
		{HOOK_MAIL, "{\"args\":{\"address\":\"\\\"a \\\\\\\"b@\\\"@c.example\"}}",
		 "args.domain", "\"c.example\""},
		{HOOK_MAIL, "{\"args\":{\"params\":[[\"SIZE\",\"9\"],[\"X\",null]]}}",
		 "args.params", "[[\"SIZE\",\"9\"],[\"X\",null]]"},
		{HOOK_MAIL, "{\"context\":{\"client\":{\"ip\":\"192.0.2.1\"}}}", "context.client",
		 "{\"ip\":\"192.0.2.1\",\"port\":53211}"},
		{HOOK_MAIL, "{\"context\":{\"client\":{\"port\":null}}}", "context.client",
		 "{\"ip\":\"203.0.113.10\"}"},
		{HOOK_MAIL, "{\"context\":{\"helo\":null}}", "context.helo", NULL},
		{HOOK_MAIL, "{\"context\":{\"tls\":{\"version\":\"TLSv1.2\"}}}", "context.tls",
		 "{\"version\":\"TLSv1.2\"}"},
		{HOOK_DATA, "{\"context\":{\"mail\":{\"address\":\"x@y.example\"}}}",
		 "context.mail.domain", "\"y.example\""},
		{HOOK_DATA, "{\"context\":{\"recipients\":[{\"address\":\"x@y.example\"}]}}",
		 "context.recipients",
		 "[{\"address\":\"x@y.example\",\"local\":\"x\",\"domain\":\"y.example\","
		 "\"params\":[]}]"},
		{HOOK_DATA, "{\"session\":\"S\",\"transaction\":\"T\",\"deadline_ms\":9}",
		 "session", "\"S\""},
		{HOOK_DATA, "{\"session\":\"S\",\"transaction\":\"T\",\"deadline_ms\":9}",
		 "transaction", "\"T\""},
		{HOOK_DATA, "{\"session\":\"S\",\"transaction\":\"T\",\"deadline_ms\":9}",
		 "deadline_ms", "9"},
		{HOOK_MESSAGE, "{\"message\":\"A: b\\r\\n\\r\\nc\\r\\n\"}", "args.size", "11"},
		{HOOK_MESSAGE, "{}", "args.body", "{\"mode\":\"none\"}"},
	};
	struct drive_setting setting;

	(void)state;
	drive_setting_init(&setting, 5);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *request = make(&setting, rows[i].hook, rows[i].step);

		check(request, rows[i].path, rows[i].wanted);
		json_decref(request);
	}
}

static const char *text_at(json_t *request, const char *field)
{
	return json_string_value(json_object_get(request, field));
}

static void test_sessions_and_transactions(void **state)
{
	struct drive_setting setting;
	json_t *first, *second, *third, *fourth;

	(void)state;
	drive_setting_init(&setting, 5);
	first = make(&setting, HOOK_MAIL, "{}");
	second = make(&setting, HOOK_RCPT, "{}");
	third = make(&setting, HOOK_MAIL, "{}");
	fourth = make(&setting, HOOK_CONNECT, "{}");
	assert_string_equal(text_at(first, "transaction"), text_at(second, "transaction"));
	assert_string_not_equal(text_at(first, "transaction"), text_at(third, "transaction"));
	assert_string_equal(text_at(first, "session"), text_at(third, "session"));
	assert_string_not_equal(text_at(first, "session"), text_at(fourth, "session"));
	json_decref(first);
	json_decref(second);
	json_decref(third);
	json_decref(fourth);
}

static void take(struct drive_setting *setting, const char *session, const char *transaction)
{
	struct verdict verdict = {.keep_session = session ? strdup(session) : NULL,
				  .keep_transaction = transaction ? strdup(transaction) : NULL};

	drive_setting_keep(setting, &verdict);
	verdict_fini(&verdict);
}

/* As the gateway does it: for the session, for the transaction, until something else is said. */
static void test_what_is_kept_comes_back(void **state)
{
	static const struct {
		const char *session, *transaction; /* said before it */
		enum hook hook;
		const char *keep; /* in the request */
	} rows[] = {
		{NULL, NULL, HOOK_CONNECT, NULL},
		{"{\"n\":1}", NULL, HOOK_EHLO, "{\"session\":{\"n\":1}}"},
		{NULL, NULL, HOOK_MAIL, "{\"session\":{\"n\":1}}"},
		{NULL, "{}", HOOK_RCPT, "{\"session\":{\"n\":1},\"transaction\":{}}"},
		{"", NULL, HOOK_DATA, "{\"transaction\":{}}"},
		{"{\"n\":2}", NULL, HOOK_DISCONNECT, "{\"session\":{\"n\":2}}"},
		{NULL, NULL, HOOK_MESSAGE, "{\"session\":{\"n\":2},\"transaction\":{}}"},
		{NULL, NULL, HOOK_MAIL, "{\"session\":{\"n\":2}}"},
		{NULL, NULL, HOOK_CONNECT, NULL},
	};
	struct drive_setting setting;

	(void)state;
	drive_setting_init(&setting, 5);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *request;

		take(&setting, rows[i].session, rows[i].transaction);
		request = make(&setting, rows[i].hook, "{}");
		if (rows[i].keep)
			check(request, "keep", rows[i].keep);
		else
			assert_null(json_object_get(request, "keep"));
		json_decref(request);
	}
	take(&setting, "{}", "{}");
	drive_setting_fini(&setting);
}

/* Asked without the content it would say that nothing is wrong with it. */
static void test_a_message_that_fits_no_mode(void **state)
{
	struct handshake_register reg = {.body = {HOOK_BODY_INLINE}, .body_len = 1};
	struct drive_setting setting;
	char *large = calloc(1, 70001), problem[256];
	json_t *step = json_object();

	(void)state;
	drive_setting_init(&setting, 5);
	setting.reg = &reg;
	memset(large, 'x', 70000);
	json_object_set_new(step, "message", json_string(large));
	assert_null(drive_request_make(&setting, HOOK_MESSAGE, step, problem, sizeof problem));
	assert_string_equal(problem, "no body mode of the service fits a message of 70000 octets");
	json_decref(step);
	free(large);
}

#define CONTENT "{\"message\":\"A: b\\r\\n\\r\\nc\\r\\n\"}"

static void test_bodies(void **state)
{
	struct handshake_register reg = {.body = {HOOK_BODY_INLINE, HOOK_BODY_HEADERS},
					 .body_len = 2};
	struct drive_setting setting;
	char *large = calloc(1, 70001);
	json_t *request, *step = json_object();
	char problem[256], *end;

	(void)state;
	drive_setting_init(&setting, 5);
	setting.reg = &reg;
	request = make(&setting, HOOK_MESSAGE, CONTENT);
	check(request, "args.body", "{\"mode\":\"inline\",\"data_b64\":\"QTogYg0KDQpjDQo=\"}");
	json_decref(request);
	memset(large, 'x', 70000);
	json_object_set_new(step, "message", json_string(large));
	end = drive_request_make(&setting, HOOK_MESSAGE, step, problem, sizeof problem);
	assert_non_null(end);
	assert_non_null(strstr(end, "\"mode\":\"headers\""));
	assert_non_null(strstr(end, "\"size\":70000"));
	json_decref(step);
	free(end);
	free(large);
	reg.body[0] = HOOK_BODY_HEADERS;
	request = make(&setting, HOOK_MESSAGE, CONTENT);
	check(request, "args.body", "{\"mode\":\"headers\",\"headers_b64\":\"QTogYg0KDQo=\"}");
	json_decref(request);
}

static void test_path(void **state)
{
	struct handshake_register reg = {.body = {HOOK_BODY_PATH}, .body_len = 1};
	struct drive_spool spool = {0};
	struct drive_setting setting;
	char path[512], content[32] = "";
	json_t *request, *body;
	FILE *file;

	(void)state;
	drive_setting_init(&setting, 5);
	setting.reg = &reg;
	setting.spool = &spool;
	assert_true(drive_spool_make(&spool));
	request = make(&setting, HOOK_MESSAGE, CONTENT);
	body = json_object_get(json_object_get(request, "args"), "body");
	snprintf(path, sizeof path, "%s/%s", spool.path, text_at(body, "path"));
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fread(content, 1, sizeof content, file), 11);
	assert_string_equal(content, "A: b\r\n\r\nc\r\n");
	fclose(file);
	snprintf(path, sizeof path, "%s", spool.path);
	drive_spool_remove(&spool);
	assert_int_equal(access(path, F_OK), -1);
	json_decref(request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_what_the_script_says),
		cmocka_unit_test(test_sessions_and_transactions),
		cmocka_unit_test(test_what_is_kept_comes_back),
		cmocka_unit_test(test_a_message_that_fits_no_mode),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
