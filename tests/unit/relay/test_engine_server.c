/* The engine against the server side of this program, in memory: what one writes is what the other
 * understands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/relay_engine.h"
#include "smtp/smtp.h"

struct both {
	struct relay_engine *e;
	struct smtp *server;
	struct buf up, down; /* from the engine to the server, and back */
	struct buf message;
	char seen[256]; /* what the server was told of the envelope */
	bool refuse_second, login_seen;
};

static void see(struct both *b, const char *what, struct octets text)
{
	size_t n = strlen(b->seen);

	snprintf(b->seen + n, sizeof b->seen - n, "%s%.*s ", what, (int)text.len,
		 text.data ? text.data : "");
}

static void see_mailbox(struct both *b, const struct hook_mailbox *mailbox)
{
	see(b, "", mailbox->address);
	for (size_t i = 0; i < mailbox->params_len; i++) {
		see(b, "+", mailbox->params[i].name);
		if (mailbox->params[i].value.data)
			see(b, "=", mailbox->params[i].value);
	}
}

static void judge(struct both *b)
{
	struct hook_request request = {0};
	struct verdict verdict = {.kind = VERDICT_ACCEPT};

	smtp_describe(b->server, &request);
	request.hook = smtp_hook(b->server);
	if (request.hook == HOOK_MAIL || request.hook == HOOK_RCPT)
		see_mailbox(b, request.mailbox);
	if (request.hook == HOOK_RCPT && request.index == 2 && b->refuse_second)
		verdict.kind = VERDICT_REJECT;
	if (request.hook == HOOK_AUTH) {
		b->login_seen = request.auth->user.len == 5 && request.auth->password.len == 6 &&
				memcmp(request.auth->user.data, "relay", 5) == 0 &&
				memcmp(request.auth->password.data, "secret", 6) == 0;
		verdict.kind = b->login_seen ? VERDICT_ACCEPT : VERDICT_REJECT;
	}
	smtp_verdict(b->server, &verdict);
}

/* False when it waits for input. */
static bool serve(struct both *b)
{
	const char *data;
	size_t len;

	switch (smtp_step(b->server, &b->up, &b->down)) {
	case SMTP_NEED_VERDICT:
		judge(b);
		return true;
	case SMTP_GOT_BODY:
		smtp_body(b->server, &data, &len);
		buf_append(&b->message, data, len);
		return true;
	case SMTP_NEED_DELIVERY:
		smtp_delivered(b->server, 250, "2.0.0", "stored");
		return true;
	case SMTP_NEED_CLIENT:
		see(b, "client ",
		    (struct octets){smtp_xclient(b->server)->addr,
				    strlen(smtp_xclient(b->server)->addr)});
		see(b, "helo ",
		    (struct octets){smtp_xclient(b->server)->helo,
				    strlen(smtp_xclient(b->server)->helo)});
		smtp_client_changed(b->server);
		return true;
	case SMTP_GOT_REPLY:
		return true;
	case SMTP_NEED_RECIPIENT:
	case SMTP_NEED_TLS:
	case SMTP_NEED_INPUT:
	case SMTP_FINISHED:
		break;
	}
	return false;
}

/* Until the engine wants something of its caller. */
static enum relay_step go(struct both *b)
{
	for (;;) {
		enum relay_step step = relay_engine_step(b->e, &b->down, &b->up);

		if (step != RELAY_NEED_INPUT && step != RELAY_NEED_TLS)
			return step;
		while (serve(b))
			;
		assert_int_equal(b->up.len, 0);
		if (step == RELAY_NEED_TLS) {
			relay_engine_tls_started(b->e, true);
			smtp_tls_started(b->server);
		} else {
			assert_true(b->down.len);
		}
	}
}

static const struct smtp_offer server_offer = {.eight_bit = true,
					       .smtputf8 = true,
					       .dsn = true,
					       .chunking = true,
					       .binary = true,
					       .requiretls = true};

static const struct smtp_settings server_settings = {.hostname = "mx",
						     .message_size = 100000,
						     .recipients = 10,
						     .errors = 5,
						     .commands = 1000,
						     .messages = 100,
						     .offer = &server_offer,
						     .starttls = true,
						     .auth = true,
						     .bare_newline_accept = true,
						     .accept_any = true};

static void open_both(struct both *b, const struct relay_engine_settings *relay,
		      const struct smtp_settings *server)
{
	*b = (struct both){0};
	buf_init(&b->up, RELAY_OUT_MAX);
	buf_init(&b->down, SMTP_OUT_MAX);
	buf_init(&b->message, 1 << 20);
	b->e = relay_engine_new(relay);
	b->server = smtp_new(server);
}

static void close_both(struct both *b)
{
	relay_engine_quit(b->e);
	assert_int_equal(go(b), RELAY_CLOSED);
	relay_engine_free(&b->e);
	smtp_free(&b->server);
	buf_fini(&b->up);
	buf_fini(&b->down);
	buf_fini(&b->message);
}

static struct octets octets(const char *text)
{
	return (struct octets){text, strlen(text)};
}

static void ask(struct both *b, const char *address, int code)
{
	const struct hook_mailbox mailbox = {.address = octets(address)};

	relay_engine_recipient(b->e, &mailbox);
	assert_int_equal(go(b), RELAY_GOT_RECIPIENT);
	assert_int_equal(relay_engine_result(b->e)->code, code);
}

static void send_message(struct both *b, const char *text, bool chunking, const char *arrives)
{
	size_t len = strlen(text), at = 0;

	buf_consume(&b->message, b->message.len);
	relay_engine_send(b->e, len, chunking);
	assert_int_equal(go(b), RELAY_NEED_BODY);
	while (at < len)
		at += relay_engine_body(b->e, &b->up, text + at, len - at);
	relay_engine_body_end(b->e);
	assert_int_equal(go(b), RELAY_GOT_RESULT);
	assert_int_equal(relay_engine_result(b->e)->code, 250);
	assert_string_equal(relay_engine_result(b->e)->status, "2.0.0");
	assert_int_equal(b->message.len, strlen(arrives));
	assert_memory_equal(buf_head(&b->message), arrives, strlen(arrives));
}

#define DOTS "a: b\r\n\r\n.\r\n..\r\n.x\r\n\r\n.\r\nend"

static void test_messages(void **state)
{
	static const struct relay_engine_settings settings = {.hostname = "gw"};
	const struct hook_param params[] = {{octets("SIZE"), octets("9")},
					    {octets("BODY"), octets("8BITMIME")},
					    {octets("SMTPUTF8"), {0}},
					    {octets("RET"), octets("HDRS")}};
	const struct hook_mailbox sender = {
		.address = octets("\xc3\xa4@a"), .params = params, .params_len = 4};
	const struct hook_mailbox null = {.address = octets("")};
	struct both b;

	(void)state;
	open_both(&b, &settings, &server_settings);
	assert_int_equal(go(&b), RELAY_READY);
	assert_int_equal(relay_engine_offer(b.e)->size, 100000);
	assert_int_equal(relay_engine_offer(b.e)->recipients, 10);
	assert_true(relay_engine_offer(b.e)->binary);
	relay_engine_begin(b.e, &sender);
	ask(&b, "\"b >c\"@d", 250);
	b.refuse_second = true;
	ask(&b, "e@f", 550);
	assert_string_equal(b.seen, "\xc3\xa4@a +BODY =8BITMIME +SMTPUTF8 +RET =HDRS \"b >c\"@d "
				    "e@f ");
	send_message(&b, DOTS, false, DOTS "\r\n");
	assert_int_equal(go(&b), RELAY_READY);
	relay_engine_begin(b.e, &null);
	ask(&b, "g@h", 250);
	assert_true(relay_engine_reset(b.e));
	relay_engine_begin(b.e, &null);
	ask(&b, "postmaster", 250);
	send_message(&b, DOTS "\n.\r\n\r.\n", true, DOTS "\n.\r\n\r.\n");
	assert_int_equal(go(&b), RELAY_READY);
	relay_engine_begin(b.e, &null);
	ask(&b, "g@h", 250);
	send_message(&b, "a\n.\nb\r.\rc\n.\r\n", false, "a\r\n.\r\nb\r\n.\r\nc\r\n.\r\n");
	assert_int_equal(go(&b), RELAY_READY);
	close_both(&b);
}

static void test_login_and_client(void **state)
{
	static const struct relay_engine_settings settings = {
		.hostname = "gw", .tls = RELAY_TLS_REQUIRED, .user = "relay", .password = "secret"};
	const struct relay_engine_client client = {
		.addr = "2001:db8::1", .helo = octets("h+e=\xc3\xa4.example"), .extended = true};
	const struct hook_param params[] = {{octets("REQUIRETLS"), {0}}};
	const struct hook_mailbox sender = {
		.address = octets("a@a"), .params = params, .params_len = 1};
	struct both b;

	(void)state;
	open_both(&b, &settings, &server_settings);
	smtp_allow_xclient(b.server);
	relay_engine_show_client(b.e, &client);
	assert_int_equal(go(&b), RELAY_READY);
	assert_string_equal(b.seen, "client 2001:db8::1 helo h+e=\xc3\xa4.example ");
	assert_true(b.login_seen && smtp_is_authenticated(b.server));
	relay_engine_begin(b.e, &sender);
	ask(&b, "b@c", 250);
	send_message(&b, DOTS, true, DOTS);
	assert_int_equal(go(&b), RELAY_READY);
	close_both(&b);
}

static void test_lmtp(void **state)
{
	static const struct relay_engine_settings settings = {.lmtp = true, .hostname = "gw"};
	const struct hook_mailbox sender = {.address = octets("a@a")};
	struct smtp_settings server = server_settings;
	struct both b;

	(void)state;
	server.lmtp = true;
	open_both(&b, &settings, &server);
	assert_int_equal(go(&b), RELAY_READY);
	for (unsigned i = 0; i < 2; i++) {
		relay_engine_begin(b.e, &sender);
		ask(&b, "b@c", 250);
		ask(&b, "d@e", 250);
		send_message(&b, DOTS, i, i ? DOTS : DOTS "\r\n");
		assert_int_equal(relay_engine_result(b.e)->index, 0);
		assert_int_equal(go(&b), RELAY_GOT_RESULT);
		assert_int_equal(relay_engine_result(b.e)->index, 1);
		assert_int_equal(go(&b), RELAY_READY);
	}
	close_both(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_login_and_client),
		cmocka_unit_test(test_lmtp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
