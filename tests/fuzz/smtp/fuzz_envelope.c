/* Discards, and edits of the envelope: however the octets are cut, the session is the same; what is
 * refused changes nothing; no edit passes the rules of the session (driver_check_request).
 *
 * Octet 0: how it is cut. Octet 1: the settings. Octet 2: the hooks that discard. Octet 3: the
 * verdicts behind the edits. Then three lines with the edits at mail, data and message ("s" and an
 * address, "a" and an address, "d" and a place, "h"; tabs between), then what the client sends. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "driver.h"

#define EDITS_MAX 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_edit(struct edit *edit, const char *text, size_t len)
{
	static const char letters[] = {'h', 's', 'a', 'd'};
	static const enum edit_kind kinds[] = {EDIT_ADD_HEADER, EDIT_SET_SENDER, EDIT_ADD_RECIPIENT,
					       EDIT_DROP_RECIPIENT};
	const char *letter = memchr(letters, text[0], sizeof letters);

	*edit = (struct edit){.kind = letter ? kinds[letter - letters] : EDIT_SET_SENDER};
	edit->value = mem_copy_bytes(text + 1, len - 1);
	edit->nth = (unsigned)atoi(edit->value);
}

/* One line; returns what is behind it. */
static const char *read_edits(struct verdict *verdict, const char *at, const char *end)
{
	verdict->edits = mem_new(EDITS_MAX * sizeof *verdict->edits);
	while (at < end && *at != '\n') {
		size_t len = 0;

		while (at + len < end && at[len] != '\t' && at[len] != '\n')
			len++;
		if (len && verdict->edits_len < EDITS_MAX)
			read_edit(&verdict->edits[verdict->edits_len++], at, len);
		at += len;
		if (at < end && *at == '\t')
			at++;
	}
	return at < end ? at + 1 : end;
}

/* A verdict with edits may be followed by one of a service behind it. */
static const char *set_rules(struct driver_script *script, uint8_t discards, uint8_t verdicts,
			     const char *at, const char *end)
{
	static const enum hook hooks[] = {HOOK_MAIL, HOOK_DATA, HOOK_MESSAGE};
	static const enum verdict_kind kinds[] = {VERDICT_ACCEPT, VERDICT_DISCARD, VERDICT_TEMPFAIL,
						  VERDICT_DISCONNECT};

	for (unsigned i = 0; i < 3; i++) {
		struct driver_rule *rule = &script->rules[i];

		rule->hook = hooks[i];
		rule->nth = discards >> i & 1;
		rule->verdict.kind = kinds[verdicts >> 2 * i & 3];
		at = read_edits(&rule->verdict, at, end);
	}
	/* at the first recipient, the second, each */
	script->rules[3] = (struct driver_rule){HOOK_RCPT, 1, {.kind = VERDICT_DISCARD}};
	if (!(discards & 8))
		script->rules[3].verdict.kind = VERDICT_ACCEPT;
	if (discards & 16)
		script->rules[4] = (struct driver_rule){HOOK_RCPT, 2, {.kind = VERDICT_DISCARD}};
	if (discards & 32)
		script->rules[5] = (struct driver_rule){HOOK_RCPT, 0, {.kind = VERDICT_DISCARD}};
	return at;
}

static void set_settings(struct driver_script *script, uint8_t octet)
{
	struct smtp_settings *settings = &script->settings;

	*settings = driver_settings();
	settings->lmtp = octet & 1;
	settings->accept_any = octet & 2;
	script->relay = octet & 4;
	settings->bare_newline_accept = octet & 8;
	if (octet & 16)
		settings->message_size = 20;
	if (octet & 32)
		settings->recipients = 2;
	if (octet & 64)
		script->delivery_code = 451;
	if (octet & 128)
		script->end = DISCONNECT_SHUTDOWN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct driver_script script = {0};
	const char *end = (const char *)data + size;

	if (size < 5)
		return 0;
	set_settings(&script, data[1]);
	script.input = set_rules(&script, data[2], data[3], (const char *)data + 4, end);
	script.input_len = (size_t)(end - script.input);
	driver_compare(&script, data[0], script.input_len);
	for (unsigned i = 0; i < DRIVER_RULES_MAX; i++)
		verdict_fini(&script.rules[i].verdict);
	return 0;
}
