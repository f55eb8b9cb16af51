/* Whatever comes as the first message, what is read of it stays within its bounds, and what the
 * gateway says to it is one line of JSON that the strict parser reads. */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/event.h"
#include "protocol/handshake.h"
#include "protocol/strict_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printable(const char *text, size_t size)
{
	assert(memchr(text, '\0', size));
	for (; *text; text++)
		assert(*text >= ' ' && *text <= '~');
}

/* `out` is one line: checks and empties it. */
static void check_line(struct json_out *out)
{
	char problem[256];
	json_t *message;

	assert(out->len && memchr(out->data, '\n', out->len) == out->data + out->len - 1);
	message = strict_json_parse(out->data, out->len - 1, problem, sizeof problem);
	assert(message);
	json_decref(message);
	json_out_clear(out);
}

static void check_error(struct json_out *out, const struct handshake_error *error)
{
	assert(error->code[0] && error->message[0]);
	check_printable(error->code, sizeof error->code);
	check_printable(error->message, sizeof error->message);
	handshake_error(out, true, 0, error->code, error->message);
	check_line(out);
}

static void try_register(struct json_out *out, const char *line, size_t size, unsigned facts)
{
	struct handshake_register reg;
	struct handshake_error error;

	if (!handshake_read_register(line, size, facts, &reg, &error)) {
		check_error(out, &error);
		return;
	}
	assert(reg.hooks && reg.hooks < 1u << HOOK_MAX);
	assert(reg.body_len >= 1 && reg.body_len <= HOOK_BODY_MAX);
	assert(reg.window >= 1 && reg.window <= PROTOCOL_WINDOW_MAX);
	check_printable(reg.service, sizeof reg.service);
	check_printable(reg.software, sizeof reg.software);
	check_printable(reg.missing, sizeof reg.missing);
	handshake_policy_ready(out, &reg,
			       &(struct handshake_ready){.policy = reg.service,
							 .hooks = reg.hooks,
							 .deadline_ms = 3000,
							 .extend_ms = facts ? 0 : 57000,
							 .shadow = !facts,
							 .grants = facts & 1,
							 .spool = "/spool"});
	check_line(out);
}

static void try_subscribe(struct json_out *out, const char *line, size_t size)
{
	struct handshake_subscribe subscribe;
	struct handshake_error error;

	if (!handshake_read_subscribe(line, size, &subscribe, &error)) {
		check_error(out, &error);
		return;
	}
	assert(subscribe.events < UINT32_C(1) << EVENT_MAX);
	assert(subscribe.seq <= UINT64_C(9007199254740991));
	check_printable(subscribe.name, sizeof subscribe.name);
	check_printable(subscribe.epoch, sizeof subscribe.epoch);
	handshake_subscribed(out, subscribe.epoch, subscribe.seq + 1, 0);
	json_out_clear(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);
	struct json_out out = {0};

	memcpy(line, data, size);
	line[size] = '\0';
	try_register(&out, line, size, HOOK_FACTS_ALL);
	try_register(&out, line, size, 0);
	try_subscribe(&out, line, size);
	json_out_fini(&out);
	free(line);
	return 0;
}
