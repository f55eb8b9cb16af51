#include "events_arguments.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define DEFAULT_SOCKET "/run/gatepost/events.sock"

enum { OPTION_FROM = 256, OPTION_ON_LAG, OPTION_RAW };

static const struct argp_option options[] = {
	{"socket", 's', "PATH", 0, "The gateway's event socket (" DEFAULT_SOCKET ")", 0},
	{"from", OPTION_FROM, "now|oldest|EPOCH:SEQ", 0,
	 "Begin with what happens next, with the oldest event that the gateway still has, or after "
	 "the event SEQ of EPOCH",
	 0},
	{"on-lag", OPTION_ON_LAG, "gap|close", 0,
	 "When the lines are taken too slowly: print a gap and go on, or end", 0},
	{"raw", OPTION_RAW, NULL, 0,
	 "Print all of the gateway's lines as they come: hello, subscribed and heartbeats too", 0},
	{"version", 'V', NULL, 0, "Print the version", -1},
	{0}};

static void add_pattern(struct events_arguments *arguments, const char *pattern,
			struct argp_state *state)
{
	for (const char *p = pattern; *p; p++)
		if (*p <= ' ' || *p > '~')
			argp_error(state, "an EVENT is a word such as mail, policy.* or *");
	arguments->patterns[arguments->patterns_len++] = pattern;
}

/* "EPOCH:SEQ"; an epoch has no colon. */
static bool read_position(const char *text, struct handshake_subscribe *from)
{
	size_t len = strcspn(text, ":"), digits;

	if (!len || len >= sizeof from->epoch || !text[len])
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	digits = strspn(text + len + 1, "0123456789");
	if (!digits || digits > 15 || text[len + 1 + digits])
		return false;
	from->from = HANDSHAKE_AFTER;
	memcpy(from->epoch, text, len);
	from->epoch[len] = '\0';
	from->seq = strtoull(text + len + 1, NULL, 10);
	return true;
}

static bool read_from(const char *text, struct handshake_subscribe *from)
{
	*from = (struct handshake_subscribe){.close_on_lag = from->close_on_lag};
	if (strcmp(text, "now") == 0)
		return true;
	from->from = HANDSHAKE_OLDEST;
	return strcmp(text, "oldest") == 0 || read_position(text, from);
}

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct events_arguments *arguments = state->input;

	switch (key) {
	case 's':
		arguments->socket = value;
		return 0;
	case OPTION_FROM:
		if (!read_from(value, &arguments->from))
			argp_error(state,
				   "--from must be now, oldest or EPOCH:SEQ, such as "
				   "01K2F7NW40S6GZQB1M8K:1048000, not \"%s\"",
				   value);
		return 0;
	case OPTION_ON_LAG:
		arguments->from.close_on_lag = strcmp(value, "close") == 0;
		if (!arguments->from.close_on_lag && strcmp(value, "gap") != 0)
			argp_error(state, "--on-lag must be gap or close, not \"%s\"", value);
		return 0;
	case OPTION_RAW:
		arguments->raw = true;
		return 0;
	case 'V':
		printf("gatepost %s\n", GATEPOST_VERSION);
		exit(EX_OK);
	case ARGP_KEY_ARG:
		add_pattern(arguments, value, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		add_pattern(arguments, "*", state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "[EVENT...]",
	.doc = "Prints what happens in the gateway, one event a line: for a reader on a terminal, "
	       "else the JSON lines as they come.\v"
	       "EVENT is the name of an event, such as mail, or policy.* for all that begin so. "
	       "Without any, all events are printed. A gap line says how many events were missed, "
	       "and why.\n\n"
	       "Ends with 0 on SIGINT, SIGTERM and when its output is closed; with 69 when the "
	       "gateway cannot be reached or closes the stream, with 77 when the account may not "
	       "subscribe, 64 when called wrongly, 76 when what answers is no gateway, 74 when the "
	       "output cannot be written."};

void events_arguments_read(struct events_arguments *arguments, int argc, char **argv)
{
	*arguments = (struct events_arguments){.program = argv[0], .socket = DEFAULT_SOCKET};
	argp_err_exit_status = EX_USAGE;
	arguments->patterns = calloc((size_t)argc, sizeof *arguments->patterns);
	if (!arguments->patterns || argp_parse(&argp, argc, argv, 0, NULL, arguments) != 0)
		exit(EX_USAGE);
}

void events_arguments_fini(struct events_arguments *arguments)
{
	free(arguments->patterns);
}
