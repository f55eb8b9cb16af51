#include "hook_json.h"

#include <assert.h>

static void put_integer(struct json_out *out, const char *before, uint64_t value)
{
	json_out_raw(out, before);
	json_out_integer(out, (int64_t)value);
}

static void put_word(struct json_out *out, const char *before, const char *word)
{
	json_out_raw(out, before);
	json_out_word(out, word);
}

static void put_text(struct json_out *out, const char *before, const char *text)
{
	json_out_raw(out, before);
	json_out_text(out, text);
}

/* A client's string that is always there: absent is written as empty. */
static void put_octets(struct json_out *out, const char *name, struct octets value)
{
	if (!value.data)
		value = (struct octets){"", 0};
	json_out_octets(out, name, value);
}

static void put_base64(struct json_out *out, struct octets value)
{
	if (value.data)
		json_out_base64(out, value.data, value.len);
	else
		json_out_raw(out, "null");
}

static void put_params_base64(struct json_out *out, const struct hook_mailbox *mailbox)
{
	json_out_raw(out, ",\"params_b64\":[");
	for (size_t i = 0; i < mailbox->params_len; i++) {
		json_out_raw(out, i ? ",[" : "[");
		put_base64(out, mailbox->params[i].name);
		json_out_raw(out, ",");
		put_base64(out, mailbox->params[i].value);
		json_out_raw(out, "]");
	}
	json_out_raw(out, "]");
}

/* Pairs, not an object: order, case and repetition are the client's and may matter. */
static void put_params(struct json_out *out, const struct hook_mailbox *mailbox)
{
	int exact = 1;

	json_out_raw(out, ",\"params\":[");
	for (size_t i = 0; i < mailbox->params_len; i++) {
		const struct hook_param *param = &mailbox->params[i];

		json_out_raw(out, i ? ",[" : "[");
		exact &= json_out_octets_value(out, param->name);
		json_out_raw(out, ",");
		if (param->value.data)
			exact &= json_out_octets_value(out, param->value);
		else
			json_out_raw(out, "null");
		json_out_raw(out, "]");
	}
	json_out_raw(out, "]");
	if (!exact)
		put_params_base64(out, mailbox);
}

/* The fields without the braces: args of rcpt has more of them. */
static void put_mailbox(struct json_out *out, const struct hook_mailbox *mailbox)
{
	put_octets(out, "address", mailbox->address);
	json_out_raw(out, ",");
	put_octets(out, "local", mailbox->local);
	json_out_raw(out, ",");
	put_octets(out, "domain", mailbox->domain);
	put_params(out, mailbox);
}

static void put_helo(struct json_out *out, const struct hook_helo *helo)
{
	put_word(out, "\"verb\":", helo->verb);
	json_out_raw(out, ",");
	put_octets(out, "name", helo->name);
}

static void put_auth(struct json_out *out, const struct hook_auth *auth)
{
	put_text(out, "\"mechanism\":", auth->mechanism);
	json_out_raw(out, ",");
	put_octets(out, "user", auth->user);
}

static void put_credential(struct json_out *out, const char *name, struct octets value)
{
	if (!value.data)
		return;
	json_out_raw(out, ",");
	json_out_octets(out, name, value);
}

static void put_credentials(struct json_out *out, const struct hook_auth *auth)
{
	put_auth(out, auth);
	put_credential(out, "authzid", auth->authzid);
	put_credential(out, "password", auth->password);
	put_credential(out, "token", auth->token);
}

static void put_body(struct json_out *out, const struct hook_message *message,
		     enum hook_body_mode mode)
{
	put_word(out, "{\"mode\":", hook_body_mode_word(mode));
	switch (mode) {
	case HOOK_BODY_HEADERS:
		json_out_raw(out, ",\"headers_b64\":");
		json_out_base64(out, message->headers, message->headers_len);
		if (message->headers_full > message->headers_len)
			put_integer(out, ",\"headers_trunc\":", message->headers_full);
		break;
	case HOOK_BODY_INLINE:
		assert(message->data || !message->size);
		json_out_raw(out, ",\"data_b64\":");
		json_out_base64(out, message->data, (size_t)message->size);
		break;
	case HOOK_BODY_PATH:
		assert(message->path);
		put_text(out, ",\"path\":", message->path);
		break;
	case HOOK_BODY_FD: /* goes beside the line, not in it */
	case HOOK_BODY_NONE:
	case HOOK_BODY_MAX:
		break;
	}
	json_out_raw(out, "}");
}

static void put_disconnect(struct json_out *out, const struct hook_request *request)
{
	put_word(out, "\"reason\":", request->reason);
	put_integer(out, ",\"commands\":", request->commands);
	put_integer(out, ",\"messages\":", request->messages);
	put_integer(out, ",\"errors\":", request->errors);
}

static void put_args(struct json_out *out, const struct hook_request *request,
		     enum hook_body_mode body)
{
	json_out_raw(out, ",\"args\":{");
	switch (request->hook) {
	case HOOK_EHLO:
		put_helo(out, request->helo);
		break;
	case HOOK_AUTH:
		put_credentials(out, request->auth);
		break;
	case HOOK_MAIL:
		put_mailbox(out, request->mailbox);
		break;
	case HOOK_RCPT:
		put_mailbox(out, request->mailbox);
		put_integer(out, ",\"index\":", request->index);
		put_integer(out, ",\"accepted\":", request->accepted);
		break;
	case HOOK_DATA:
		put_integer(out, "\"recipients\":", request->accepted);
		break;
	case HOOK_MESSAGE:
		put_integer(out, "\"size\":", request->message->size);
		json_out_raw(out, ",\"body\":");
		put_body(out, request->message, body);
		json_out_raw(out, request->message->quarantine ? ",\"quarantine\":true" : "");
		break;
	case HOOK_DISCONNECT:
		put_disconnect(out, request);
		break;
	case HOOK_CONNECT:
	case HOOK_STARTTLS:
	case HOOK_SECURE:
	case HOOK_MAX:
		break;
	}
	json_out_raw(out, "}");
}

/* "ip":...,"port":... or nothing on a Unix socket. */
static void put_endpoint(struct json_out *out, const char *before,
			 const struct hook_endpoint *endpoint)
{
	if (!endpoint->ip)
		return;
	json_out_raw(out, before);
	put_word(out, "\"ip\":", endpoint->ip);
	put_integer(out, ",\"port\":", endpoint->port);
}

static void put_tls(struct json_out *out, const struct hook_tls *tls)
{
	put_text(out, ",\"tls\":{\"version\":", tls->version);
	put_text(out, ",\"cipher\":", tls->cipher);
	put_integer(out, ",\"bits\":", (uint64_t)tls->bits);
	if (tls->sni.data) {
		json_out_raw(out, ",");
		json_out_octets(out, "sni", tls->sni);
	}
	if (tls->peer) {
		json_out_raw(out, tls->peer->verified ? ",\"peer\":{\"verified\":true"
						      : ",\"peer\":{\"verified\":false");
		put_text(out, ",\"subject\":", tls->peer->subject);
		put_text(out, ",\"issuer\":", tls->peer->issuer);
		put_text(out, ",\"fingerprint\":", tls->peer->fingerprint);
		json_out_raw(out, "}");
	}
	json_out_raw(out, "}");
}

static void put_text_octets(struct json_out *out, const char *name, struct octets value)
{
	if (!value.data)
		return;
	json_out_raw(out, ",");
	json_out_octets(out, name, value);
}

static void put_proxy(struct json_out *out, const struct hook_proxy *proxy)
{
	json_out_raw(out, "\"proxy\":{\"tls\":");
	json_out_raw(out, proxy->tls ? "true" : "false");
	put_endpoint(out, ",", &proxy->endpoint);
	put_text_octets(out, "authority", proxy->authority);
	put_text_octets(out, "alpn", proxy->alpn);
	put_text_octets(out, "version", proxy->version);
	put_text_octets(out, "cipher", proxy->cipher);
	put_text_octets(out, "common_name", proxy->common_name);
	if (proxy->tls)
		json_out_raw(out, proxy->verified ? ",\"verified\":true" : ",\"verified\":false");
	if (proxy->unique_id.data) {
		json_out_raw(out, ",\"unique_id_b64\":");
		json_out_base64(out, proxy->unique_id.data, proxy->unique_id.len);
	}
	json_out_raw(out, "}");
}

static void put_client(struct json_out *out, const struct hook_context *context)
{
	const char *comma = context->client.ip ? "," : "";

	put_endpoint(out, "", &context->client);
	if (context->client_name) {
		json_out_raw(out, comma);
		put_text(out, "\"name\":", context->client_name);
		json_out_raw(out, context->client_name_verified ? ",\"name_verified\":true"
								: ",\"name_verified\":false");
		comma = ",";
	}
	if (context->proxy) {
		json_out_raw(out, comma);
		put_proxy(out, context->proxy);
	}
}

static void put_recipients(struct json_out *out, const struct hook_context *context)
{
	json_out_raw(out, ",\"recipients\":[");
	for (size_t i = 0; i < context->recipients_len; i++) {
		json_out_raw(out, i ? ",{" : "{");
		put_mailbox(out, &context->recipients[i]);
		json_out_raw(out, "}");
	}
	json_out_raw(out, "]");
}

static void put_context(struct json_out *out, const struct hook_context *context, enum hook hook)
{
	json_out_raw(out, ",\"context\":{\"client\":{");
	put_client(out, context);
	put_text(out, "},\"listener\":{\"name\":", context->listener_name);
	put_endpoint(out, ",", &context->listener);
	json_out_raw(out, "}");
	if (context->helo) {
		json_out_raw(out, ",\"helo\":{");
		put_helo(out, context->helo);
		json_out_raw(out, "}");
	}
	if (context->tls)
		put_tls(out, context->tls);
	if (context->auth) {
		json_out_raw(out, ",\"auth\":{");
		put_auth(out, context->auth);
		json_out_raw(out, "}");
	}
	if (context->mail) {
		json_out_raw(out, ",\"mail\":{");
		put_mailbox(out, context->mail);
		json_out_raw(out, "}");
	}
	/* Not with every RCPT: n recipients would cost n^2 mailboxes. */
	if (hook == HOOK_DATA || hook == HOOK_MESSAGE)
		put_recipients(out, context);
	if (context->labels && *context->labels) {
		json_out_raw(out, ",\"labels\":");
		json_out_words(out, context->labels);
	}
	json_out_raw(out, "}");
}

/* What the service itself has said before, as the codec has written it then. */
static void put_keep(struct json_out *out, const struct hook_asking *asking)
{
	bool session = asking->keep_session && *asking->keep_session;
	bool transaction = asking->keep_transaction && *asking->keep_transaction;

	if (!session && !transaction)
		return;
	json_out_raw(out, ",\"keep\":{");
	if (session) {
		json_out_raw(out, "\"session\":");
		json_out_raw(out, asking->keep_session);
	}
	if (transaction) {
		json_out_raw(out, session ? ",\"transaction\":" : "\"transaction\":");
		json_out_raw(out, asking->keep_transaction);
	}
	json_out_raw(out, "}");
}

void hook_json_request(struct json_out *out, const struct hook_request *request,
		       const struct hook_asking *asking)
{
	json_out_raw(out, "{\"type\":\"request\"");
	if (asking->id) {
		put_integer(out, ",\"id\":", asking->id);
		put_text(out, ",\"key\":", asking->key);
	}
	put_word(out, ",\"hook\":", hook_word(request->hook));
	put_word(out, ",\"session\":", request->session);
	if (request->transaction)
		put_word(out, ",\"transaction\":", request->transaction);
	if (asking->id) {
		put_integer(out, ",\"attempt\":", asking->attempt);
		put_integer(out, ",\"deadline_ms\":",
			    asking->deadline_ms > 0 ? (uint64_t)asking->deadline_ms : 0);
	}
	put_args(out, request, asking->body);
	put_context(out, &request->context, request->hook);
	put_keep(out, asking);
	json_out_raw(out, "}\n");
}

void hook_json_cancel(struct json_out *out, uint64_t id, const char *why)
{
	put_integer(out, "{\"type\":\"cancel\",\"ids\":[", id);
	put_text(out, "],\"why\":", why);
	json_out_raw(out, "}\n");
}

void hook_json_ping(struct json_out *out)
{
	json_out_raw(out, "{\"type\":\"ping\"}\n");
}

void hook_json_pong(struct json_out *out)
{
	json_out_raw(out, "{\"type\":\"pong\"}\n");
}
