#include "driver.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/smtp_auth.h"

#define TEXT_MAX ((size_t)1 << 28)

struct smtp_settings driver_settings(void)
{
	static const char *const domains[] = {"example.com", "other.example"};

	return (struct smtp_settings){
		.hostname = "mx.test",
		.message_size = 100000,
		.recipients = 100,
		.errors = 20,
		.commands = 1000,
		.messages = 100,
		.starttls = true,
		.accept_domains = domains,
		.accept_domains_len = 2,
	};
}

void driver_init(struct driver *d, const struct driver_script *script)
{
	*d = (struct driver){.script = script, .settings = script->settings};
	if (!d->settings.hostname)
		d->settings = driver_settings();
	d->smtp = smtp_new(&d->settings);
	if (script->relay)
		smtp_allow_relay(d->smtp);
	if (script->xclient)
		smtp_allow_xclient(d->smtp);
	if (script->early_talk)
		smtp_early_talk(d->smtp);
	buf_init(&d->in, SMTP_IN_MAX);
	buf_init(&d->out, SMTP_OUT_MAX);
	buf_init(&d->output, TEXT_MAX);
	buf_init(&d->trace, TEXT_MAX);
	buf_init(&d->message, TEXT_MAX);
	buf_init(&d->messages, TEXT_MAX);
}

void driver_fini(struct driver *d)
{
	smtp_free(&d->smtp);
	buf_fini(&d->in);
	buf_fini(&d->out);
	buf_fini(&d->output);
	buf_fini(&d->trace);
	buf_fini(&d->message);
	buf_fini(&d->messages);
}

const char *driver_text(struct buf *b)
{
	buf_append(b, "", 1);
	b->len--;
	return buf_head(b);
}

/* --- the trace --- */

static void trace_octets(struct driver *d, const char *name, struct octets value)
{
	if (!value.data)
		return;
	buf_printf(&d->trace, " %s=", name);
	buf_append(&d->trace, value.data, value.len);
}

static void trace_mailbox(struct driver *d, const struct hook_mailbox *mailbox)
{
	trace_octets(d, "address", mailbox->address);
	trace_octets(d, "local", mailbox->local);
	trace_octets(d, "domain", mailbox->domain);
	for (size_t i = 0; i < mailbox->params_len; i++) {
		trace_octets(d, "param", mailbox->params[i].name);
		trace_octets(d, "value", mailbox->params[i].value);
	}
}

static void trace_credentials(struct driver *d, const struct hook_auth *auth)
{
	buf_printf(&d->trace, " mechanism=%s", auth->mechanism);
	trace_octets(d, "authzid", auth->authzid);
	trace_octets(d, "user", auth->user);
	trace_octets(d, "password", auth->password);
	trace_octets(d, "token", auth->token);
}

static void trace_question(struct driver *d, const struct hook_request *request)
{
	buf_printf(&d->trace, "ask %s", hook_word(request->hook));
	if (request->context.helo)
		trace_octets(d, "client", request->context.helo->name);
	if (request->hook == HOOK_EHLO)
		trace_octets(d, request->helo->verb, request->helo->name);
	if (request->context.auth)
		trace_octets(d, "login", request->context.auth->user);
	if (request->hook == HOOK_AUTH)
		trace_credentials(d, request->auth);
	if (request->hook == HOOK_MAIL || request->hook == HOOK_RCPT)
		trace_mailbox(d, request->mailbox);
	if (request->hook == HOOK_RCPT)
		buf_printf(&d->trace, " index=%u accepted=%u", request->index, request->accepted);
	if (request->context.mail)
		trace_octets(d, "from", request->context.mail->address);
	if (request->hook == HOOK_DATA || request->hook == HOOK_MESSAGE)
		for (size_t i = 0; i < request->context.recipients_len; i++)
			trace_octets(d, "to", request->context.recipients[i].address);
	if (request->hook == HOOK_MESSAGE)
		buf_printf(&d->trace, " size=%llu", (unsigned long long)smtp_message_size(d->smtp));
	buf_append_string(&d->trace, "\n");
}

static void trace_reply(struct driver *d)
{
	const struct smtp_reply *reply = smtp_last_reply(d->smtp);

	buf_printf(&d->trace, "%s %d", smtp_verb_word(reply->verb), reply->code);
	if (reply->status[0])
		buf_printf(&d->trace, " %s", reply->status);
	buf_printf(&d->trace, " \"%s\"", reply->text);
	if (reply->line.len) {
		buf_append_string(&d->trace, " line=");
		buf_append(&d->trace, reply->line.data, reply->line.len);
	}
	if (reply->helo)
		trace_octets(d, "helo", reply->helo->name);
	if (reply->auth)
		trace_credentials(d, reply->auth);
	if (reply->mailbox)
		trace_octets(d, "mailbox", reply->mailbox->address);
	if (reply->verb == SMTP_DATA)
		buf_printf(&d->trace, " recipients=%u", reply->recipients);
	if (reply->by_delivery)
		buf_append_string(&d->trace, " by delivery");
	if (reply->discarded)
		buf_append_string(&d->trace, " discarded");
	if (reply->violation)
		buf_printf(&d->trace, " violation=%s", reply->violation);
	buf_printf(&d->trace, "%s%s\n", reply->transaction_begun ? " begun" : "",
		   reply->transaction_ended ? " ended" : "");
}

/* --- what the engine asks for --- */

static void describe(struct driver *d)
{
	struct hook_request request = {0};

	smtp_describe(d->smtp, &request);
	driver_check_request(d->script, &d->settings, &request);
	trace_question(d, &request);
}

/* The next service of the chain sees what has become of the envelope; when the edits were refused,
 * what it was before. `asked` is where the question before stands in the trace. */
static void edit(struct driver *d, const struct driver_rule *rule, size_t asked)
{
	size_t len = d->trace.len - asked, again;
	char problem[256];
	bool refused = smtp_edit(d->smtp, rule->verdict.edits, rule->verdict.edits_len, problem,
				 sizeof problem);

	if (refused)
		buf_printf(&d->trace, "problem %s\n", problem);
	again = d->trace.len;
	describe(d);
	if (refused && (d->trace.len - again != len ||
			memcmp(buf_head(&d->trace) + asked, buf_head(&d->trace) + again, len)))
		abort();
}

static const struct driver_rule *find_rule(const struct driver *d, enum hook hook)
{
	for (size_t i = 0; i < DRIVER_RULES_MAX; i++) {
		const struct driver_rule *rule = &d->script->rules[i];
		bool used = rule->verdict.kind != VERDICT_ACCEPT || rule->verdict.code ||
			    rule->verdict.text || rule->verdict.status[0] ||
			    rule->verdict.edits_len;

		if (used && rule->hook == hook && (!rule->nth || rule->nth == d->asked[hook]))
			return rule;
	}
	return NULL;
}

static void answer(struct driver *d)
{
	enum hook hook = smtp_hook(d->smtp);
	struct verdict accept = {.kind = VERDICT_ACCEPT};
	const struct driver_rule *rule;
	size_t asked = d->trace.len;

	describe(d);
	d->asked[hook]++;
	if (hook == HOOK_DATA && d->script->later)
		d->settings.offer = d->script->later;
	rule = find_rule(d, hook);
	if (rule && rule->verdict.edits_len)
		edit(d, rule, asked);
	smtp_verdict(d->smtp, rule ? &rule->verdict : &accept);
}

static void store(struct driver *d)
{
	const char *data;
	size_t len;

	smtp_body(d->smtp, &data, &len);
	if (!len || smtp_is_discarded(d->smtp))
		abort();
	buf_append(&d->message, data, len);
	if (d->script->body_room && d->message.len > d->script->body_room)
		smtp_body_failed(d->smtp, 452, "4.3.1", "No room");
}

static void change_client(struct driver *d)
{
	const struct smtp_xclient *x = smtp_xclient(d->smtp);

	if (!d->script->xclient)
		abort();
	buf_printf(&d->trace, "client %u name=%s addr=%s port=%u proto=%s helo=%s login=%s\n",
		   x->given, x->name, x->addr, x->port, x->proto, x->helo, x->login);
	smtp_client_changed(d->smtp);
}

static void report(struct driver *d)
{
	const struct smtp_reply *reply = smtp_last_reply(d->smtp);

	trace_reply(d);
	if (reply->transaction_ended)
		buf_consume(&d->message, d->message.len);
}

static void drain(struct driver *d)
{
	buf_append(&d->output, buf_head(&d->out), d->out.len);
	buf_consume(&d->out, d->out.len);
}

static void finish(struct driver *d)
{
	if (!d->finished)
		buf_printf(&d->trace, "finished %s\n",
			   disconnect_reason_word(smtp_disconnect_reason(d->smtp)));
	d->finished = true;
}

/* Steps until the engine waits for input or is done; true when it wants TLS. */
static bool advance(struct driver *d)
{
	for (;;) {
		enum smtp_step step = smtp_step(d->smtp, &d->in, &d->out);

		drain(d);
		switch (step) {
		case SMTP_NEED_INPUT:
			return false;
		case SMTP_NEED_VERDICT:
			answer(d);
			break;
		case SMTP_NEED_TLS:
			return true;
		case SMTP_NEED_CLIENT:
			change_client(d);
			break;
		case SMTP_NEED_RECIPIENT:
			driver_ask_recipient(d);
			break;
		case SMTP_GOT_BODY:
			store(d);
			break;
		case SMTP_GOT_REPLY:
			report(d);
			break;
		case SMTP_NEED_DELIVERY:
			driver_deliver(d);
			break;
		case SMTP_FINISHED:
			finish(d);
			return false;
		}
	}
}

/* True when the engine wants TLS. */
static bool feed(struct driver *d, const char *data, size_t len)
{
	bool tls = false;

	while (len && !d->finished) {
		size_t n = len < buf_room(&d->in) ? len : buf_room(&d->in);

		if (!n)
			abort(); /* a deadlock */
		buf_append(&d->in, data, n);
		data += n;
		len -= n;
		tls = advance(d);
	}
	return tls;
}

static bool feed_cut(struct driver *d, const char *data, size_t len, size_t cut, size_t piece)
{
	bool tls = false;

	if (piece) {
		for (size_t at = 0; at < len; at += piece)
			tls = feed(d, data + at, len - at < piece ? len - at : piece);
		return tls;
	}
	if (cut >= len)
		return feed(d, data, len);
	feed(d, data, cut);
	return feed(d, data + cut, len - cut);
}

void driver_run(struct driver *d, size_t cut, size_t piece)
{
	const struct driver_script *script = d->script;
	bool tls = advance(d);

	if (!tls)
		tls = feed_cut(d, script->input, script->input_len, cut, piece);
	if (tls && script->secure) {
		smtp_tls_started(d->smtp);
		advance(d);
		cut = cut >= script->input_len ? cut - script->input_len : SIZE_MAX;
		feed_cut(d, script->secure, script->secure_len, cut, piece);
	}
	if (script->end) {
		smtp_end(d->smtp, script->end);
		advance(d);
	}
	if (d->in.len > SMTP_AUTH_LINE_MAX && !d->finished)
		abort();
	driver_check_output(&d->output);
}
