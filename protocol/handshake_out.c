#include "handshake.h"

#include "edit.h"
#include "jsonl.h"
#include "verdict.h"

static void put_integer(struct json_out *out, const char *before, uint64_t value)
{
	json_out_raw(out, before);
	json_out_integer(out, (int64_t)value);
}

static void put_text(struct json_out *out, const char *before, const char *text)
{
	json_out_raw(out, before);
	json_out_text(out, text);
}

static void put_hello(struct json_out *out, const char *protocol,
		      const struct handshake_gateway *gateway)
{
	put_text(out, "{\"type\":\"hello\",\"protocol\":", protocol);
	put_integer(out, ",\"versions\":[", PROTOCOL_VERSION);
	put_text(out, "],\"gateway\":{\"name\":", gateway->name);
	put_integer(out, ",\"worker\":", gateway->worker);
	put_text(out, ",\"epoch\":", gateway->epoch);
	put_text(out, ",\"software\":", gateway->software);
	json_out_raw(out, "}");
}

void handshake_policy_hello(struct json_out *out, const struct handshake_gateway *gateway,
			    uint64_t message_max, long ping_ms)
{
	put_hello(out, "gatepost-policy", gateway);
	json_out_raw(out, ",\"hooks\":[");
	for (unsigned i = 0; i < HOOK_MAX; i++)
		put_text(out, i ? "," : "", hook_word((enum hook)i));
	json_out_raw(out, "],\"context\":[");
	for (unsigned i = 0; i < HOOK_FACT_MAX; i++)
		put_text(out, i ? "," : "", hook_fact_word((enum hook_fact)i));
	json_out_raw(out, "],\"edits\":[");
	for (unsigned i = 0; i < EDIT_MAX; i++)
		put_text(out, i ? "," : "", edit_word((enum edit_kind)i));
	json_out_raw(out, "],\"body\":[");
	for (unsigned i = 0; i < HOOK_BODY_MAX; i++)
		put_text(out, i ? "," : "", hook_body_mode_word((enum hook_body_mode)i));
	put_integer(out, "],\"limits\":{\"line\":", JSONL_LINE_MAX);
	put_integer(out, ",\"inline\":", PROTOCOL_INLINE_MAX);
	put_integer(out, ",\"headers\":", PROTOCOL_HEADERS_MAX);
	put_integer(out, ",\"window\":", PROTOCOL_WINDOW_MAX);
	put_integer(out, ",\"message\":", message_max);
	put_integer(out, ",\"keep\":", VERDICT_KEEP_MAX);
	put_integer(out, "},\"ping_ms\":", (uint64_t)ping_ms);
	json_out_raw(out, "}\n");
}

static void put_ready_hooks(struct json_out *out, const struct handshake_ready *ready)
{
	const char *separator = "";

	json_out_raw(out, ",\"hooks\":{");
	for (unsigned i = 0; i < HOOK_MAX; i++) {
		if (!(ready->hooks & 1u << i))
			continue;
		put_text(out, separator, hook_word((enum hook)i));
		if (i == HOOK_DISCONNECT) { /* nobody waits for it */
			json_out_raw(out, ":{}");
		} else {
			put_integer(out, ":{\"deadline_ms\":", (uint64_t)ready->deadline_ms);
			if (ready->extend_ms > 0)
				put_integer(out, ",\"extend_ms\":", (uint64_t)ready->extend_ms);
			json_out_raw(out, "}");
		}
		separator = ",";
	}
	json_out_raw(out, "}");
}

void handshake_policy_ready(struct json_out *out, const struct handshake_register *reg,
			    const struct handshake_ready *ready)
{
	put_integer(out, "{\"type\":\"ready\",\"version\":", PROTOCOL_VERSION);
	put_text(out, ",\"policy\":", ready->policy);
	put_text(out, ",\"mode\":", ready->shadow ? "shadow" : "enforce");
	put_ready_hooks(out, ready);
	json_out_raw(out, ",\"missing\":");
	json_out_words(out, reg->missing);
	put_integer(out, ",\"window\":", reg->window);
	json_out_raw(out, ",\"body\":[");
	for (size_t i = 0; i < reg->body_len; i++)
		put_text(out, i ? "," : "", hook_body_mode_word(reg->body[i]));
	json_out_raw(out, "],\"spool\":");
	if (ready->spool)
		json_out_text(out, ready->spool);
	else
		json_out_raw(out, "null");
	json_out_raw(out, ",\"grants\":[");
	for (unsigned i = 0; i < HANDSHAKE_GRANT_MAX; i++)
		if (ready->grants & 1u << i) /* there is only one: no comma */
			json_out_text(out, handshake_grant_word((enum handshake_grant)i));
	json_out_raw(out, ready->delivers ? "],\"delivers\":true}\n" : "]}\n");
}

void handshake_error(struct json_out *out, bool fatal, uint64_t id, const char *code,
		     const char *message)
{
	json_out_raw(out, "{\"type\":\"error\",\"fatal\":");
	json_out_raw(out, fatal ? "true" : "false");
	if (id)
		put_integer(out, ",\"id\":", id);
	put_text(out, ",\"code\":", code);
	put_text(out, ",\"message\":", message);
	json_out_raw(out, "}\n");
}

void handshake_events_hello(struct json_out *out, const struct handshake_gateway *gateway,
			    uint64_t head, uint64_t oldest)
{
	put_hello(out, "gatepost-events", gateway);
	put_integer(out, ",\"head\":", head);
	put_integer(out, ",\"oldest\":", oldest);
	json_out_raw(out, "}\n");
}

void handshake_subscribed(struct json_out *out, const char *epoch, uint64_t from,
			  uint64_t replaying)
{
	put_integer(out, "{\"type\":\"subscribed\",\"version\":", PROTOCOL_VERSION);
	put_text(out, ",\"epoch\":", epoch);
	put_integer(out, ",\"from\":", from);
	put_integer(out, ",\"replaying\":", replaying);
	json_out_raw(out, "}\n");
}

void handshake_subscribe(struct json_out *out, const char *name, const char *const *patterns,
			 size_t patterns_len, const struct handshake_subscribe *from)
{
	put_integer(out, "{\"type\":\"subscribe\",\"version\":", PROTOCOL_VERSION);
	put_text(out, ",\"name\":", name);
	json_out_raw(out, ",\"events\":[");
	for (size_t i = 0; i < patterns_len; i++)
		put_text(out, i ? "," : "", patterns[i]);
	if (from->from == HANDSHAKE_AFTER) {
		put_text(out, "],\"from\":{\"epoch\":", from->epoch);
		put_integer(out, ",\"seq\":", from->seq);
		json_out_raw(out, "}");
	} else {
		put_text(out, "],\"from\":", from->from == HANDSHAKE_OLDEST ? "oldest" : "now");
	}
	if (from->close_on_lag)
		put_text(out, ",\"on_lag\":", "close");
	json_out_raw(out, "}\n");
}
