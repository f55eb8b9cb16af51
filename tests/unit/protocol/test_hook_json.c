#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "examples.h"
#include "protocol/hook_json.h"

#define SESSION	    "01K2F7Q8ZB4M9XW3T6RY"
#define TRANSACTION "01K2F7Q9A0C5N8PVD2HJ"
#define KEY(about)  about ".greylist"
#define O(text)                                                                                    \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
#define CLIENT                                                                                     \
	.client = {"203.0.113.10", 53211}, .listener_name = "mx", .listener = {"192.0.2.25", 25}
#define HEADERS "From: alice@example.net\r\nSubject: Hello\r\n\r\n"
#define CONTENT HEADERS "Hi Bob.\r\n"

static const struct hook_helo ehlo = {"EHLO", O("mail.example.net")}, helo = {"HELO", O("h")};
static const struct hook_tls tls = {"TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, O("mx1.example.org"),
				    NULL};
static const struct hook_tls tls_no_sni = {
	"TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, {NULL, 0}, NULL};

static const struct hook_param alice_params[] = {{O("SIZE"), O("12345")},
						 {O("BODY"), O("8BITMIME")}};
static const struct hook_param notify[] = {{O("NOTIFY"), O("SUCCESS,FAILURE")}};
static const struct hook_param no_value[] = {{O("X"), {NULL, 0}}};
static const struct hook_param octets_params[] = {{O("X"), O("\xff")}, {O("Y"), {NULL, 0}}};

static const struct hook_mailbox alice = {O("alice@example.net"), O("alice"), O("example.net"),
					  alice_params, 2};
static const struct hook_mailbox nobody = {O(""), O(""), {NULL, 0}, no_value, 1};
static const struct hook_mailbox bob = {O("bob@example.org"), O("bob"), O("example.org"), notify,
					1};
static const struct hook_mailbox postmaster = {O("postmaster"), O("postmaster"), O(""), NULL, 0};
static const struct hook_mailbox octets = {O("b\xf6"
					     "b@example.org"),
					   O("b\xf6"
					     "b"),
					   O("example.org"), octets_params, 2};
static const struct hook_mailbox recipients[] = {
	{O("bob@example.org"), O("bob"), O("example.org"), NULL, 0},
	{O("\"carol smith\"@example.org"), O("carol smith"), O("example.org"), NULL, 0},
};

static void check(const char *example, const struct hook_request *request, uint64_t id,
		  const char *key, long deadline_ms, enum hook_body_mode body)
{
	struct hook_asking asking = {
		.id = id, .key = key, .attempt = 1, .deadline_ms = deadline_ms, .body = body};
	struct json_out out = {0};

	hook_json_request(&out, request, &asking);
	examples_assert_equal(&out, example);
	json_out_fini(&out);
}

static void test_before_the_transaction(void **state)
{
	struct hook_request r = {.hook = HOOK_CONNECT, .session = SESSION, .context = {CLIENT}};
	struct hook_request local = {
		.hook = HOOK_CONNECT, .session = SESSION, .context = {.listener_name = "local"}};
	const struct hook_tls_peer peer = {false, "CN=mail.example.net", "CN=mail.example.net",
					   "5F2A"};
	const struct hook_proxy proxy = {.endpoint = {"192.0.2.80", 40000},
					 .authority = O("mx1.example.org"),
					 .tls = true,
					 .version = O("TLSv1.3"),
					 .cipher = O("TLS_AES_256_GCM_SHA384"),
					 .unique_id = O("\1\2")};
	struct hook_tls with_peer = tls;

	(void)state;
	check("valid/request-connect.json", &r, 1, KEY(SESSION ".connect"), 3000, HOOK_BODY_NONE);
	r.context.proxy = &proxy;
	check("valid/request-connect-proxy.json", &r, 1, KEY(SESSION ".connect"), 3000,
	      HOOK_BODY_NONE);
	r.context.proxy = NULL;
	check("valid/request-connect-unix.json", &local, 1, KEY(SESSION ".connect"), 3000,
	      HOOK_BODY_NONE);
	r.hook = HOOK_EHLO;
	r.helo = &ehlo;
	check("valid/request-ehlo.json", &r, 2, KEY(SESSION ".ehlo"), 3000, HOOK_BODY_NONE);
	r.hook = HOOK_STARTTLS;
	r.context.helo = &ehlo;
	check("valid/request-starttls.json", &r, 3, KEY(SESSION ".starttls"), 3000, HOOK_BODY_NONE);
	r.hook = HOOK_SECURE;
	r.context.helo = NULL; /* forgotten, RFC 3207 section 4.2 */
	r.context.tls = &tls;
	check("valid/request-secure.json", &r, 4, KEY(SESSION ".secure"), 3000, HOOK_BODY_NONE);
	with_peer.peer = &peer;
	r.context.tls = &with_peer;
	r.context.client_name = "mail.example.net";
	r.context.client_name_verified = true;
	check("valid/request-secure-peer.json", &r, 4, KEY(SESSION ".secure"), 3000,
	      HOOK_BODY_NONE);
}

static void test_credentials(void **state)
{
	struct hook_auth auth = {
		"PLAIN", {NULL, 0}, O("alice@example.org"), O("correct horse"), {NULL, 0}};
	struct hook_request r = {.hook = HOOK_AUTH,
				 .session = SESSION,
				 .auth = &auth,
				 .context = {CLIENT, .helo = &ehlo, .tls = &tls}};

	(void)state;
	check("valid/request-auth.json", &r, 4, KEY(SESSION ".auth.3"), 3000, HOOK_BODY_NONE);
	auth.user = (struct octets)O("root");
	auth.authzid = (struct octets)O("alice@example.org");
	auth.password = (struct octets)O("\xff");
	check("valid/request-auth-authzid.json", &r, 4, KEY(SESSION ".auth.3"), 3000,
	      HOOK_BODY_NONE);
	auth = (struct hook_auth){"OAUTHBEARER",
				  {NULL, 0},
				  O("alice@example.org"),
				  {NULL, 0},
				  O("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")};
	check("valid/request-auth-token.json", &r, 4, KEY(SESSION ".auth.3"), 3000, HOOK_BODY_NONE);
}

/* The secrets are for the auth hook: a service that is told more may tell it on. */
static void test_context_without_secrets(void **state)
{
	const struct hook_auth auth = {"PLAIN", O("bob"), O("alice@example.org"), O("secret"),
				       O("secret")};
	struct hook_request r = {.hook = HOOK_MAIL,
				 .session = SESSION,
				 .transaction = TRANSACTION,
				 .mailbox = &alice,
				 .context = {CLIENT, .helo = &ehlo, .tls = &tls, .auth = &auth}};

	(void)state;
	check("valid/request-mail-auth.json", &r, 5, KEY(TRANSACTION ".mail"), 3000,
	      HOOK_BODY_NONE);
}

static void test_mail_and_rcpt(void **state)
{
	struct hook_request r = {.hook = HOOK_MAIL,
				 .session = SESSION,
				 .transaction = TRANSACTION,
				 .mailbox = &alice,
				 .context = {CLIENT, .helo = &ehlo, .tls = &tls}};
	struct hook_asking again;
	struct json_out out = {0};

	(void)state;
	check("valid/request-mail.json", &r, 5, KEY(TRANSACTION ".mail"), 3000, HOOK_BODY_NONE);
	r.hook = HOOK_RCPT;
	r.mailbox = &bob;
	r.index = 1;
	r.context.mail = &alice;
	r.context.recipients = recipients; /* known, and not sent */
	r.context.recipients_len = 2;
	check("valid/request-rcpt.json", &r, 6, KEY(TRANSACTION ".rcpt.1"), 2990, HOOK_BODY_NONE);
	again = (struct hook_asking){
		.id = 6, .key = KEY(TRANSACTION ".rcpt.1"), .attempt = 2, .deadline_ms = 2990};
	hook_json_request(&out, &r, &again);
	examples_assert_equal(&out, "valid/request-rcpt-again.json");
	json_out_fini(&out);
	r.mailbox = &postmaster;
	r.index = 2;
	r.accepted = 1;
	check("valid/request-rcpt-postmaster.json", &r, 7, KEY(TRANSACTION ".rcpt.2"), 3000,
	      HOOK_BODY_NONE);
}

static void test_labels_and_what_was_kept(void **state)
{
	struct hook_request r = {.hook = HOOK_RCPT,
				 .session = SESSION,
				 .transaction = TRANSACTION,
				 .mailbox = &bob,
				 .index = 1,
				 .context = {CLIENT, .helo = &ehlo, .tls = &tls, .mail = &alice,
					     .labels = "bulk greylist.passed"}};
	struct hook_asking asking = {.id = 6,
				     .key = KEY(TRANSACTION ".rcpt.1"),
				     .attempt = 1,
				     .deadline_ms = 2990,
				     .keep_session = "{\"seen\":3}",
				     .keep_transaction = "{\"new\":true}"};
	struct json_out out = {0};

	(void)state;
	hook_json_request(&out, &r, &asking);
	examples_assert_equal(&out, "valid/request-rcpt-keep.json");

	/* Nothing, and what was forgotten, leave no trace. */
	r.context.labels = "";
	asking.keep_session = "";
	asking.keep_transaction = NULL;
	hook_json_request(&out, &r, &asking);
	examples_assert_equal(&out, "valid/request-rcpt.json");

	r = (struct hook_request){.hook = HOOK_DISCONNECT,
				  .session = SESSION,
				  .reason = "quit",
				  .commands = 7,
				  .messages = 1,
				  .context = {CLIENT, .helo = &ehlo, .tls = &tls}};
	asking = (struct hook_asking){.keep_session = "{\"seen\":3}"};
	hook_json_request(&out, &r, &asking);
	examples_assert_equal(&out, "valid/request-disconnect-keep.json");
	asking = (struct hook_asking){.keep_transaction = "{}"};
	hook_json_request(&out, &r, &asking);
	json_out_raw_octets(&out, "", 1);
	assert_non_null(strstr(out.data, ",\"keep\":{\"transaction\":{}}}\n"));
	json_out_fini(&out);
}

static void test_null_path_and_octets(void **state)
{
	struct hook_request r = {.hook = HOOK_MAIL,
				 .session = SESSION,
				 .transaction = TRANSACTION,
				 .mailbox = &nobody,
				 .context = {CLIENT, .helo = &helo, .tls = &tls_no_sni}};

	(void)state;
	check("valid/request-mail-null.json", &r, 5, KEY(TRANSACTION ".mail"), 3000,
	      HOOK_BODY_NONE);
	r.hook = HOOK_RCPT;
	r.mailbox = &octets;
	r.index = 1;
	r.context.helo = &ehlo;
	r.context.tls = NULL;
	r.context.mail = &alice;
	check("valid/request-rcpt-octets.json", &r, 6, KEY(TRANSACTION ".rcpt.1"), 3000,
	      HOOK_BODY_NONE);
}

static void test_data(void **state)
{
	struct hook_request r = {.hook = HOOK_DATA,
				 .session = SESSION,
				 .transaction = TRANSACTION,
				 .accepted = 2,
				 .context = {CLIENT, .helo = &ehlo, .tls = &tls, .mail = &alice,
					     .recipients = recipients, .recipients_len = 2}};

	(void)state;
	check("valid/request-data.json", &r, 8, KEY(TRANSACTION ".data"), 3000, HOOK_BODY_NONE);
}

static void test_message_in_each_body_mode(void **state)
{
	struct hook_message message = {.size = sizeof CONTENT - 1,
				       .headers = HEADERS,
				       .headers_len = sizeof HEADERS - 1,
				       .headers_full = sizeof HEADERS - 1,
				       .data = CONTENT,
				       .path = TRANSACTION ".eml"};
	struct hook_request r = {.hook = HOOK_MESSAGE,
				 .session = SESSION,
				 .transaction = TRANSACTION,
				 .message = &message,
				 .context = {CLIENT, .helo = &ehlo, .mail = &alice,
					     .recipients = recipients, .recipients_len = 1}};
	const char *key = KEY(TRANSACTION ".message");

	(void)state;
	check("valid/request-message-none.json", &r, 9, key, 30000, HOOK_BODY_NONE);
	message.quarantine = true;
	check("valid/request-message-quarantine.json", &r, 9, key, 30000, HOOK_BODY_NONE);
	message.quarantine = false;
	check("valid/request-message-headers.json", &r, 9, key, 30000, HOOK_BODY_HEADERS);
	check("valid/request-message-inline.json", &r, 9, key, 30000, HOOK_BODY_INLINE);
	check("valid/request-message-path.json", &r, 9, key, 30000, HOOK_BODY_PATH);
	check("valid/request-message-fd.json", &r, 9, key, 30000, HOOK_BODY_FD);
	message.size = 1000000;
	message.headers_len = 24;
	message.headers_full = 300000;
	check("valid/request-message-headers-cut.json", &r, 9, key, 30000, HOOK_BODY_HEADERS);
}

static void test_disconnect_is_not_asked(void **state)
{
	struct hook_request r = {.hook = HOOK_DISCONNECT,
				 .session = SESSION,
				 .reason = "quit",
				 .commands = 7,
				 .messages = 1,
				 .context = {CLIENT, .helo = &ehlo, .tls = &tls}};

	(void)state;
	check("valid/request-disconnect.json", &r, 0, NULL, 0, HOOK_BODY_NONE);
}

static void test_deadline_is_never_negative(void **state)
{
	struct hook_request r = {
		.hook = HOOK_CONNECT, .session = "s", .context = {.listener_name = "l"}};
	struct hook_asking asking = {.id = 1, .key = "k", .attempt = 1, .deadline_ms = -5};
	struct json_out out = {0};

	(void)state;
	hook_json_request(&out, &r, &asking);
	json_out_raw_octets(&out, "", 1);
	assert_non_null(strstr(out.data, "\"deadline_ms\":0,"));
	json_out_fini(&out);
}

static void test_cancel(void **state)
{
	struct json_out out = {0};

	(void)state;
	hook_json_cancel(&out, 6, "client_gone");
	examples_assert_equal(&out, "valid/cancel.json");
	hook_json_cancel(&out, 7, "deadline");
	examples_assert_equal(&out, "valid/cancel-deadline.json");
	json_out_fini(&out);
}

static void test_signs_of_life(void **state)
{
	struct json_out out = {0};

	(void)state;
	hook_json_ping(&out);
	examples_assert_equal(&out, "valid/ping.json");
	hook_json_pong(&out);
	examples_assert_equal(&out, "valid/pong.json");
	json_out_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signs_of_life),
		cmocka_unit_test(test_before_the_transaction),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_context_without_secrets),
		cmocka_unit_test(test_mail_and_rcpt),
		cmocka_unit_test(test_labels_and_what_was_kept),
		cmocka_unit_test(test_null_path_and_octets),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_message_in_each_body_mode),
		cmocka_unit_test(test_disconnect_is_not_asked),
		cmocka_unit_test(test_deadline_is_never_negative),
		cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
