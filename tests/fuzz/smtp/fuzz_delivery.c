/* A session whose delivery is asked for each recipient and takes less than the engine can: the same
 * octets must give the same session, however they are cut. Octet 0: how it is cut. Octet 1: the
 * settings. Octets 2 and 3: what the delivery offers, and what from the first message on. Octet 4:
 * the services. Octets 5 to 12: a class and an end of text each, for four recipients and for four
 * results of LMTP. Then what the client sends. */
#include <stdint.h>
#include <stdlib.h>

#include "driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 13

static char text[] = "First line\nSecond line";

static void read_offer(struct smtp_offer *offer, uint8_t octet)
{
	*offer = (struct smtp_offer){
		.eight_bit = octet & 1,
		.smtputf8 = octet & 2,
		.dsn = octet & 4,
		.chunking = octet & 8,
		.binary = octet & 16,
		.requiretls = octet & 32,
		.size = octet & 64 ? 10 : 0,
		.recipients = octet & 128 ? 1 : 0,
	};
}

static void set_settings(struct driver_script *script, uint8_t octet)
{
	struct smtp_settings *settings = &script->settings;

	*settings = driver_settings();
	settings->lmtp = octet & 1;
	settings->recipients_asked = octet & 2;
	settings->bare_newline_accept = octet & 4;
	if (octet & 8)
		settings->errors = 1;
	if (octet & 16)
		settings->messages = 1;
	if (octet & 32)
		script->delivery_code = 451;
	script->end_at_recipient = octet & 64 && octet & 128;
	if (octet & 128)
		script->end = octet & 64 ? DISCONNECT_CLIENT_GONE : DISCONNECT_SHUTDOWN;
}

static void set_rules(struct driver_script *script, uint8_t octet, struct edit edits[2])
{
	static const enum verdict_kind kinds[] = {VERDICT_ACCEPT, VERDICT_DISCARD, VERDICT_REJECT,
						  VERDICT_TEMPFAIL};
	static char address[] = "added@example.com";

	script->rules[0] =
		(struct driver_rule){HOOK_RCPT, octet & 4 ? 1 : 0, {.kind = kinds[octet & 3]}};
	if (octet & 8)
		script->rules[1] = (struct driver_rule){
			HOOK_RCPT, 0, {.kind = VERDICT_ACCEPT, .code = 251, .text = text}};
	edits[0] = (struct edit){.kind = EDIT_DROP_RECIPIENT, .nth = 1};
	edits[1] = (struct edit){.kind = EDIT_ADD_RECIPIENT, .value = address};
	script->rules[2] = (struct driver_rule){
		.hook = octet & 16 ? HOOK_DATA : HOOK_MESSAGE,
		.verdict = {.kind = VERDICT_ACCEPT, .text = octet & 32 ? text : NULL},
	};
	script->rules[2].verdict.edits = octet & 64 ? edits : edits + 1;
	script->rules[2].verdict.edits_len = octet & 128 ? octet & 64 ? 2 : 1 : 0;
}

static struct driver_answer read_answer(uint8_t octet)
{
	static const int codes[] = {0, 250, 299, 421, 450, 499, 550, 599};
	static const char *const statuses[] = {"", "2.1.5", "4.2.1", "5.999.999"};
	static const char *const texts[] = {"", "Text", text, "\r\n250 OK\xff"};

	return (struct driver_answer){codes[octet & 7], statuses[octet >> 3 & 3],
				      texts[octet >> 5 & 3]};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct driver_script script = {0};
	struct smtp_offer offer, later;
	struct edit edits[2];

	if (size < HEAD)
		return 0;
	set_settings(&script, data[1]);
	read_offer(&offer, data[2]);
	read_offer(&later, data[3]);
	script.settings.offer = &offer;
	script.later = &later;
	set_rules(&script, data[4], edits);
	for (size_t i = 0; i < DRIVER_ANSWERS_MAX; i++) {
		script.recipients[i] = read_answer(data[5 + i]);
		script.results[i] = read_answer(data[9 + i]);
	}
	script.input = (const char *)data + HEAD;
	script.input_len = size - HEAD;
	driver_compare(&script, data[0], script.input_len);
	return 0;
}
