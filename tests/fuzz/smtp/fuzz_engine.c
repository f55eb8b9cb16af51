/* A whole session: the same octets must give the same session, however they are cut, and every
 * reply must be whole lines. Octet 0: how it is cut. Octet 1: the verdicts. Octet 2: the settings.
 * Then what the client sends. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char text[] = "First line\nSecond line";

/* One hook of the eight gets one of eight verdicts, at its first or at each question; when
 * deliveries fail, so does the auth hook. */
static void set_rules(struct driver_script *script, uint8_t octet)
{
	static const struct verdict verdicts[] = {
		{.kind = VERDICT_ACCEPT},
		{.kind = VERDICT_ACCEPT, .code = 259, .status = "2.9.9", .text = text},
		{.kind = VERDICT_TEMPFAIL},
		{.kind = VERDICT_TEMPFAIL, .code = 421, .text = text},
		{.kind = VERDICT_REJECT},
		{.kind = VERDICT_REJECT, .code = 599, .status = "5.999.999", .text = text},
		{.kind = VERDICT_DISCONNECT},
		{.kind = VERDICT_DISCONNECT, .code = 554, .text = text},
	};

	static const enum hook hooks[] = {HOOK_CONNECT, HOOK_EHLO, HOOK_STARTTLS, HOOK_SECURE,
					  HOOK_MAIL,	HOOK_RCPT, HOOK_DATA,	  HOOK_MESSAGE};

	script->rules[0] = (struct driver_rule){
		.hook = hooks[octet & 7],
		.nth = octet & 0x80 ? 1 : 0,
		.verdict = verdicts[octet >> 4 & 7],
	};
	if (octet & 8) {
		script->delivery_code = 451;
		script->rules[1] = (struct driver_rule){
			.hook = HOOK_AUTH,
			.verdict = verdicts[octet >> 4 & 7 ? octet >> 4 & 7 : 4],
		};
	}
}

static void set_settings(struct driver_script *script, uint8_t octet)
{
	struct smtp_settings *settings = &script->settings;

	*settings = driver_settings();
	settings->auth = true;
	settings->starttls = !(octet & 1);
	settings->require_tls = octet & 2;
	settings->accept_any = octet & 4;
	if (octet & 8)
		settings->message_size = 20;
	if (octet & 16)
		settings->errors = settings->messages = 1;
	if (octet & 32)
		settings->recipients = 1;
	if (octet & 64)
		script->end = DISCONNECT_SHUTDOWN;
}

/* LMTP, DSN, and a peer that may say XCLIENT. */
static void set_extras(struct driver_script *script)
{
	static const struct smtp_offer offer = {
		.eight_bit = true,
		.smtputf8 = true,
		.dsn = true,
		.chunking = true,
		.binary = true,
		.requiretls = true,
	};

	script->settings.lmtp = true;
	script->settings.offer = &offer;
	script->settings.bare_newline_accept = true;
	script->relay = script->xclient = true;
}

/* What follows STARTTLS goes in after the handshake, or at once as an injection. */
static void set_input(struct driver_script *script, const char *input, size_t len, bool implicit,
		      bool inject)
{
	const char *starttls = memmem(input, len, "STARTTLS\r\n", 10);

	script->input = input;
	script->input_len = len;
	if (implicit) {
		script->settings.implicit_tls = true;
		script->secure = input;
		script->secure_len = len;
		script->input_len = 0;
	} else if (starttls && !inject) {
		script->input_len = (size_t)(starttls + 10 - input);
		script->secure = starttls + 10;
		script->secure_len = len - script->input_len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct driver_script script = {0};

	if (size < 4)
		return 0;
	set_rules(&script, data[1]);
	set_settings(&script, data[2]);
	if (data[0] & 128 && !(data[2] & 128))
		set_extras(&script);
	set_input(&script, (const char *)data + 3, size - 3, data[2] & 128 && data[0] & 128,
		  data[2] & 128);
	driver_compare(&script, data[0], size - 3);
	return 0;
}
