#include "dialogue_settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define DOMAINS_MAX 16

enum setting_kind {
	SETTING_FLAG,
	SETTING_COUNT,
	SETTING_SIZE,
	SETTING_DOMAINS,
	SETTING_HOOKS,
	SETTING_OFFER
};

static const struct setting {
	const char *name;
	enum setting_kind kind;
	size_t place; /* in struct dialogue */
} settings[] = {
	{"message_size", SETTING_SIZE, offsetof(struct dialogue, settings.message_size)},
	{"recipients", SETTING_COUNT, offsetof(struct dialogue, settings.recipients)},
	{"errors", SETTING_COUNT, offsetof(struct dialogue, settings.errors)},
	{"commands", SETTING_COUNT, offsetof(struct dialogue, settings.commands)},
	{"messages", SETTING_COUNT, offsetof(struct dialogue, settings.messages)},
	{"starttls", SETTING_FLAG, offsetof(struct dialogue, settings.starttls)},
	{"implicit_tls", SETTING_FLAG, offsetof(struct dialogue, settings.implicit_tls)},
	{"auth", SETTING_FLAG, offsetof(struct dialogue, settings.auth)},
	{"require_tls", SETTING_FLAG, offsetof(struct dialogue, settings.require_tls)},
	{"lmtp", SETTING_FLAG, offsetof(struct dialogue, settings.lmtp)},
	{"dsn", SETTING_FLAG, offsetof(struct dialogue, offer.dsn)},
	{"recipients_asked", SETTING_FLAG, offsetof(struct dialogue, settings.recipients_asked)},
	{"offer", SETTING_OFFER, 0},
	{"offer_size", SETTING_SIZE, offsetof(struct dialogue, offer.size)},
	{"offer_recipients", SETTING_COUNT, offsetof(struct dialogue, offer.recipients)},
	{"bare_newline_accept", SETTING_FLAG,
	 offsetof(struct dialogue, settings.bare_newline_accept)},
	{"relay", SETTING_FLAG, offsetof(struct dialogue, relay)},
	{"xclient", SETTING_FLAG, offsetof(struct dialogue, xclient)},
	{"banner_wait", SETTING_FLAG, offsetof(struct dialogue, banner_wait)},
	{"accept_domains", SETTING_DOMAINS, 0},
	{"hooks", SETTING_HOOKS, 0},
};

static void forget_domains(struct dialogue *d)
{
	for (size_t i = 0; i < d->settings.accept_domains_len; i++)
		free(d->domains[i]);
	d->settings.accept_domains_len = 0;
}

void dialogue_settings_init(struct dialogue *d)
{
	d->domains = mem_new(DOMAINS_MAX * sizeof(*d->domains));
	d->domains[0] = mem_copy_string("example.com");
	d->offer = (struct smtp_offer){
		.eight_bit = true,
		.smtputf8 = true,
		.chunking = true,
		.binary = true,
		.requiretls = true,
	};
	d->settings = (struct smtp_settings){
		.offer = &d->offer,
		.hostname = "mx.example.org",
		.message_size = 26214400,
		.recipients = 1000,
		.errors = 10,
		.commands = 1000,
		.messages = 100,
		.accept_domains = (const char *const *)d->domains,
		.accept_domains_len = 1,
	};
}

void dialogue_settings_fini(struct dialogue *d)
{
	forget_domains(d);
	free(d->domains);
	d->domains = NULL;
}

/* The next word, to be freed; NULL at the end. */
static char *take_word(const char **text)
{
	const char *start = *text + strspn(*text, " ");
	size_t len = strcspn(start, " ");

	*text = start + len;
	return len > 0 ? mem_copy_bytes(start, len) : NULL;
}

static const char *set_domains(struct dialogue *d, const char *value)
{
	char *word;

	forget_domains(d);
	d->settings.accept_any = strcmp(value, "any") == 0;
	if (d->settings.accept_any || strcmp(value, "none") == 0)
		return NULL;
	while (d->settings.accept_domains_len < DOMAINS_MAX && (word = take_word(&value)) != NULL)
		d->domains[d->settings.accept_domains_len++] = word;
	return take_word(&value) == NULL ? NULL : "too many domains";
}

static const char *set_hooks(struct dialogue *d, const char *value)
{
	char *word;

	while ((word = take_word(&value)) != NULL) {
		enum hook hook;
		bool known = hook_from_word(word, &hook);

		free(word);
		if (!known)
			return "there is no such hook";
		d->hooks |= 1u << hook;
	}
	return NULL;
}

/* Only what is named. */
static const char *set_offer(struct dialogue *d, const char *value)
{
	struct smtp_offer *offer = &d->offer;
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{"eight_bit", &offer->eight_bit},
		{"smtputf8", &offer->smtputf8},
		{"dsn", &offer->dsn},
		{"chunking", &offer->chunking},
		{"binary", &offer->binary},
		{"requiretls", &offer->requiretls},
	};
	const char *problem = NULL;
	char *word;

	*offer = (struct smtp_offer){0};
	while (!problem && (word = take_word(&value)) != NULL) {
		problem = strcmp(word, "nothing") == 0 ? NULL : "there is no such extension";
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
			if (strcmp(word, flags[i].name) == 0) {
				*flags[i].flag = true;
				problem = NULL;
			}
		}
		free(word);
	}
	return problem;
}

static const char *set_number(const struct setting *setting, char *place, const char *value)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(value, &end, 10);
	if (end == value || *end != '\0' || errno != 0 || number == 0 || number > UINT32_MAX)
		return "not a number from 1";
	if (setting->kind == SETTING_COUNT) {
		unsigned count = (unsigned)number;

		memcpy(place, &count, sizeof(count));
	} else {
		uint64_t size = number;

		memcpy(place, &size, sizeof(size));
	}
	return NULL;
}

static const char *set_value(struct dialogue *d, const struct setting *setting, const char *value)
{
	char *place = (char *)d + setting->place;
	bool on = true;

	switch (setting->kind) {
	case SETTING_FLAG:
		memcpy(place, &on, sizeof(on));
		return *value == '\0' ? NULL : "it takes no value";
	case SETTING_DOMAINS:
		return set_domains(d, value);
	case SETTING_HOOKS:
		return set_hooks(d, value);
	case SETTING_OFFER:
		return set_offer(d, value);
	case SETTING_COUNT:
	case SETTING_SIZE:
		break;
	}
	return set_number(setting, place, value);
}

const char *dialogue_settings_apply(struct dialogue *d, const char *text)
{
	size_t len = strcspn(text, " ");

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strlen(settings[i].name) == len && strncmp(text, settings[i].name, len) == 0)
			return set_value(d, &settings[i], text + len + (text[len] == ' '));
	}
	return "there is no such setting";
}
