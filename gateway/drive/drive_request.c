#include "drive_request.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "protocol/hook_json.h"
#include "protocol/jsonl.h"
#include "protocol/strict_json.h"

#define OCTETS(text) ((struct octets){text, sizeof(text) - 1})

/* The session that is played where the script says nothing else. */
static const struct hook_helo helo = {"EHLO", OCTETS("mail.example.net")};
static const struct hook_tls tls = {.version = "TLSv1.3",
				    .cipher = "TLS_AES_256_GCM_SHA384",
				    .bits = 256,
				    .sni = OCTETS("mx1.example.org")};
static const struct hook_auth credentials = {
	.mechanism = "PLAIN", .user = OCTETS("alice@example.org"), .password = OCTETS("secret")};
static const struct hook_mailbox sender = {.address = OCTETS("alice@example.net"),
					   .local = OCTETS("alice"),
					   .domain = OCTETS("example.net")};
static const struct hook_mailbox recipient = {.address = OCTETS("bob@example.org"),
					      .local = OCTETS("bob"),
					      .domain = OCTETS("example.org")};
static const char default_message[] = "From: alice@example.net\r\nTo: bob@example.org\r\n"
				      "Subject: a test\r\n\r\nA message from gatepost drive.\r\n";

void drive_setting_init(struct drive_setting *setting, double timeout)
{
	*setting = (struct drive_setting){.deadline_ms = (long)(timeout * 1000)};
	ident_make(setting->session);
	ident_make(setting->transaction);
}

static void forget(char **kept)
{
	free(*kept);
	*kept = NULL;
}

void drive_setting_fini(struct drive_setting *setting)
{
	forget(&setting->keep_session);
	forget(&setting->keep_transaction);
}

static void keep(char **kept, char **said)
{
	if (!*said)
		return;
	forget(kept);
	if (**said) {
		*kept = *said;
		*said = NULL;
	}
}

void drive_setting_keep(struct drive_setting *setting, struct verdict *verdict)
{
	keep(&setting->keep_session, &verdict->keep_session);
	keep(&setting->keep_transaction, &verdict->keep_transaction);
}

static bool is_in_transaction(enum hook hook)
{
	return hook >= HOOK_MAIL && hook <= HOOK_MESSAGE;
}

/* --- the defaults --- */

/* The first mode of the service that fits, as the gateway chooses it; HOOK_BODY_MAX: none does. */
static enum hook_body_mode choose_body(const struct drive_setting *setting, size_t len)
{
	const struct handshake_register *reg = setting->reg;

	for (size_t i = 0; reg && i < reg->body_len; i++)
		if (reg->body[i] != HOOK_BODY_INLINE || len <= PROTOCOL_INLINE_MAX)
			return reg->body[i];
	return reg ? HOOK_BODY_MAX : HOOK_BODY_NONE;
}

static void set_content(struct hook_message *message, const char *data, size_t len)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);

	message->size = len;
	message->data = message->headers = data;
	message->headers_full = end ? (uint64_t)(end + 4 - data) : len;
	message->headers_len = message->headers_full < PROTOCOL_HEADERS_MAX
				       ? (size_t)message->headers_full
				       : PROTOCOL_HEADERS_MAX;
}

static void set_facts(struct hook_request *request)
{
	struct hook_context *context = &request->context;
	enum hook hook = request->hook;

	context->client = (struct hook_endpoint){"203.0.113.10", 53211};
	context->listener_name = "mx";
	context->listener = (struct hook_endpoint){"192.0.2.25", 25};
	if (hook >= HOOK_STARTTLS && hook != HOOK_SECURE)
		context->helo = &helo;
	if (hook == HOOK_SECURE || hook == HOOK_AUTH)
		context->tls = &tls;
	if (hook >= HOOK_RCPT && hook <= HOOK_MESSAGE)
		context->mail = &sender;
	context->recipients = &recipient;
	context->recipients_len = 1;
	request->helo = &helo;
	request->auth = &credentials;
	request->mailbox = hook == HOOK_MAIL ? &sender : &recipient;
	request->index = 1;
	request->accepted = hook == HOOK_DATA;
	request->reason = "quit";
	request->commands = 5;
	request->messages = 1;
}

/* What the gateway would ask; NULL with `problem` when the message cannot be written to a file. */
static json_t *make_default(const struct drive_setting *setting, enum hook hook, const char *data,
			    size_t len, char *problem, size_t size)
{
	struct hook_message message = {0};
	struct hook_request request = {
		.hook = hook, .session = setting->session, .message = &message};
	struct hook_asking asking = {.id = hook != HOOK_DISCONNECT,
				     .key = "-",
				     .attempt = 1,
				     .deadline_ms = setting->deadline_ms,
				     .body = choose_body(setting, len),
				     .keep_session = setting->keep_session};
	char name[IDENT_SIZE + sizeof ".eml"], unique[IDENT_SIZE];
	struct json_out out = {0};
	json_t *made;

	set_facts(&request);
	set_content(&message, data, len);
	if (is_in_transaction(hook)) {
		request.transaction = setting->transaction;
		asking.keep_transaction = setting->keep_transaction;
	}
	if (hook == HOOK_MESSAGE && asking.body == HOOK_BODY_MAX) {
		snprintf(problem, size, "no body mode of the service fits a message of %zu octets",
			 len);
		return NULL;
	}
	if (hook == HOOK_MESSAGE && asking.body == HOOK_BODY_PATH) {
		ident_make(unique);
		snprintf(name, sizeof name, "%s.eml", unique);
		message.path = name;
		if (!drive_spool_write(setting->spool, name, data, len)) {
			snprintf(problem, size, "cannot write the message to %s: %s",
				 setting->spool->path, strerror(errno));
			return NULL;
		}
	}
	hook_json_request(&out, &request, &asking);
	made = strict_json_parse(out.data, out.len, problem, size);
	json_out_fini(&out);
	return made;
}

/* --- what the script says --- */

/* RFC 7396: objects are merged, all else takes the place of what was there, null removes. */
static void merge(json_t *target, json_t *patch)
{
	const char *key;
	json_t *value;

	json_object_foreach(patch, key, value)
	{
		json_t *there = json_object_get(target, key);

		if (json_is_null(value))
			json_object_del(target, key);
		else if (json_is_object(value) && json_is_object(there))
			merge(there, value);
		else
			json_object_set(target, key, value);
	}
}

/* The local part without its quoting (RFC 5321 section 4.1.2: Quoted-string). */
static json_t *unquote(const char *local, size_t len)
{
	size_t used = 0;
	char *plain;
	json_t *made;

	if (len < 2 || local[0] != '"' || local[len - 1] != '"')
		return json_stringn(local, len);
	plain = mem_new(len);
	for (size_t i = 1; i < len - 1; i++) {
		if (local[i] == '\\' && i + 1 < len - 1)
			i++;
		plain[used++] = local[i];
	}
	made = json_stringn(plain, used);
	free(plain);
	return made;
}

/* Fills in local and domain of an address. */
static void complete_mailbox(json_t *mailbox)
{
	const char *address = json_string_value(json_object_get(mailbox, "address")), *at;

	if (!address)
		return;
	at = strrchr(address, '@');
	if (!json_object_get(mailbox, "local"))
		json_object_set_new(
			mailbox, "local",
			unquote(address, at ? (size_t)(at - address) : strlen(address)));
	if (!json_object_get(mailbox, "domain"))
		json_object_set_new(mailbox, "domain", json_string(at ? at + 1 : ""));
}

static void complete_mailboxes(json_t *context)
{
	json_t *recipients = json_object_get(context, "recipients"), *item;
	size_t i;

	complete_mailbox(json_object_get(context, "mail"));
	json_array_foreach(recipients, i, item)
	{
		complete_mailbox(item);
		if (json_is_object(item) && !json_object_get(item, "params"))
			json_object_set_new(item, "params", json_array());
	}
}

/* Lays what the step says over the request. The step itself stays as it is. */
static void apply(json_t *request, const json_t *step, enum hook hook)
{
	static const char *const fields[] = {"session", "transaction", "deadline_ms",
					     "args",	"context",     "keep"};
	json_t *patch = json_object();

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (json_object_get(step, fields[i]))
			json_object_set_new(patch, fields[i],
					    json_deep_copy(json_object_get(step, fields[i])));
	if (hook == HOOK_MAIL || hook == HOOK_RCPT)
		complete_mailbox(json_object_get(patch, "args"));
	complete_mailboxes(json_object_get(patch, "context"));
	merge(request, patch);
	json_decref(patch);
}

char *drive_request_make(struct drive_setting *setting, enum hook hook, const json_t *step,
			 char *problem, size_t size)
{
	const json_t *content = json_object_get(step, "message");
	const char *data = content ? json_string_value(content) : default_message;
	json_t *request;
	char *text, *end;

	if (hook == HOOK_CONNECT) {
		ident_make(setting->session);
		drive_setting_fini(setting);
	}
	if (hook == HOOK_MAIL) {
		ident_make(setting->transaction);
		forget(&setting->keep_transaction);
	}
	request = make_default(setting, hook, data,
			       content ? json_string_length(content) : strlen(data), problem, size);
	if (!request)
		return NULL;
	json_object_del(request, "type");
	json_object_del(request, "id");
	json_object_del(request, "key");
	apply(request, step, hook);
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	end = mem_copy_string(text + 1); /* without the brace */
	free(text);
	if (strlen(end) < JSONL_LINE_MAX - 256)
		return end;
	snprintf(problem, size, "the request does not fit in a line");
	free(end);
	return NULL;
}

void drive_request_write(struct json_out *out, const struct drive_setting *setting, const char *end,
			 uint64_t id)
{
	json_out_raw(out, "{\"type\":\"request\",");
	if (id) {
		json_out_raw(out, "\"id\":");
		json_out_integer(out, (int64_t)id);
		json_out_raw(out, ",\"key\":\"");
		json_out_raw(out, setting->session);
		json_out_raw(out, ".");
		json_out_integer(out, (int64_t)id);
		json_out_raw(out, ".drive\",");
	}
	json_out_raw(out, end);
	json_out_raw(out, "\n");
}
