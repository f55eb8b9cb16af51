#include "drive_command.h"

#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/ident.h"
#include "drive/drive_break.h"
#include "drive/drive_measure.h"
#include "drive/drive_play.h"
#include "drive/drive_wire.h"

#define COUNT_MAX   10000000
#define TIMEOUT_MAX 3600

struct arguments {
	const char *socket, *script;
	double timeout;
	bool quiet, measure, breaks;
	enum drive_break mode;
	enum hook hook; /* HOOK_MAX: not said */
	unsigned count, window;
};

enum { OPTION_MEASURE = 256, OPTION_COUNT, OPTION_WINDOW, OPTION_HOOK, OPTION_BREAK };

static const struct argp_option options[] = {
	{"timeout", 't', "SECONDS", 0, "How long the service may take for anything (5)", 0},
	{"quiet", 'q', NULL, 0, "Print no line for each reply", 0},
	{"measure", OPTION_MEASURE, NULL, 0,
	 "Print how many round trips a second the service makes, and the latency of the median and "
	 "of 99 in 100, with one open request and with a full window",
	 1},
	{"count", OPTION_COUNT, "N", 0, "With --measure: requests for each row (10000)", 1},
	{"window", OPTION_WINDOW, "N", 0,
	 "With --measure: open requests of the second row (what the service has registered)", 1},
	{"break", OPTION_BREAK, "MODE", 0,
	 "Misbehave once and print how the service takes it: half-line, garbage, close, "
	 "unknown-type or duplicate-id",
	 2},
	{"hook", OPTION_HOOK, "HOOK", 0,
	 "With --measure and --break: ask at this hook (the first that the service has registered)",
	 2},
	{"version", 'V', NULL, 0, "Print the version", -1},
	{0}};

static unsigned read_number(const char *text, unsigned most, const char *option,
			    struct argp_state *state)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < 1 || value > most)
		argp_error(state, "%s must be a number from 1 to %u, not \"%s\"", option, most,
			   text);
	return (unsigned)value;
}

static double read_seconds(const char *text, struct argp_state *state)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0.001 && value <= TIMEOUT_MAX))
		argp_error(state, "--timeout must be seconds, at most %d, not \"%s\"", TIMEOUT_MAX,
			   text);
	return value;
}

static void check_arguments(const struct arguments *arguments, struct argp_state *state)
{
	if (!arguments->socket)
		argp_error(state, "name the socket of the service: gatepost drive SOCKET");
	if (arguments->measure + arguments->breaks + (arguments->script != NULL) > 1)
		argp_error(state, "a SCRIPT, --measure and --break exclude each other");
	if (arguments->hook != HOOK_MAX && !arguments->measure && !arguments->breaks)
		argp_error(state, "--hook goes with --measure or --break");
	if ((arguments->count || arguments->window) && !arguments->measure)
		argp_error(state, "--count and --window go with --measure");
}

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 't':
		arguments->timeout = read_seconds(value, state);
		return 0;
	case 'q':
		arguments->quiet = true;
		return 0;
	case OPTION_MEASURE:
		arguments->measure = true;
		return 0;
	case OPTION_COUNT:
		arguments->count = read_number(value, COUNT_MAX, "--count", state);
		return 0;
	case OPTION_WINDOW:
		arguments->window = read_number(value, PROTOCOL_WINDOW_MAX, "--window", state);
		return 0;
	case OPTION_HOOK:
		if (!hook_from_word(value, &arguments->hook) || arguments->hook == HOOK_DISCONNECT)
			argp_error(state,
				   "--hook must be a hook with an answer, such as rcpt, not \"%s\"",
				   value);
		return 0;
	case OPTION_BREAK:
		arguments->breaks = true;
		if (!drive_break_from_word(value, &arguments->mode))
			argp_error(state,
				   "--break must be half-line, garbage, close, unknown-type or "
				   "duplicate-id, not \"%s\"",
				   value);
		return 0;
	case 'V':
		printf("gatepost %s\n", GATEPOST_VERSION);
		exit(EX_OK);
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "\"%s\" is too much; after SOCKET there is one SCRIPT",
				   value);
		*(state->arg_num ? &arguments->script : &arguments->socket) = value;
		return 0;
	case ARGP_KEY_END:
		check_arguments(arguments, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "SOCKET [SCRIPT]",
	.doc = "Plays the gateway against the policy service that listens at SOCKET.\v"
	       "SCRIPT has one step a line; - is standard input. Without it, one session is played "
	       "through all hooks that the service has registered.\n\n"
	       "  {\"hook\":\"rcpt\",\"args\":{\"address\":\"bob@example.com\"},\n"
	       "   \"expect\":{\"verdict\":\"reject\",\"code\":550}}\n"
	       "      asks; also with context, keep, session, transaction,\n"
	       "      deadline_ms, message, repeat\n"
	       "  {\"raw\":\"...\"}          sends it as it is; also with id, expect\n"
	       "  {\"expect_close\":true}  the service must close\n"
	       "  {\"pipeline\":true}      from here on nothing waits for a reply\n"
	       "  # a comment\n\n"
	       "expect has verdict, code, status, text (a part of it), reason, until, label (one "
	       "of them) or edits (how many). All is explained in gatepost(8).\n\n"
	       "Ends with 0 when all expectations were met, 1 when one was not, 64 when called "
	       "wrongly, 65 for a bad line of the script, 66 when it cannot be read, 69 when the "
	       "service cannot be reached, 76 when it breaks the protocol."};

/* A file is read to its end before anything is sent, so that a slip in its last line costs no run.
 * Standard input is played as it comes. */
static int play_script(struct drive_wire *wire, const struct arguments *arguments)
{
	bool from_input = strcmp(arguments->script, "-") == 0;
	FILE *script = from_input ? stdin : fopen(arguments->script, "r");
	struct drive_play play;
	int code = DRIVE_GO_ON;

	if (!script)
		return drive_wire_complain(wire, EX_NOINPUT, "cannot read %s: %s",
					   arguments->script, strerror(errno));
	drive_play_init(&play, wire, from_input ? "standard input" : arguments->script,
			arguments->quiet);
	if (!from_input && fseek(script, 0, SEEK_SET) == 0) {
		code = drive_play_check(&play, script);
		rewind(script);
	}
	if (code == DRIVE_GO_ON)
		code = drive_wire_open(wire);
	if (code == DRIVE_GO_ON)
		code = drive_play_script(&play, script);
	if (!from_input)
		fclose(script);
	return code;
}

static int play_session(struct drive_wire *wire, const struct arguments *arguments)
{
	struct drive_play play;
	int code = drive_wire_open(wire);

	drive_play_init(&play, wire, NULL, arguments->quiet);
	return code == DRIVE_GO_ON ? drive_play_session(&play) : code;
}

static int ask_at_hook(struct drive_wire *wire, const struct arguments *arguments)
{
	int code = drive_wire_open(wire);
	enum hook hook;

	if (code != DRIVE_GO_ON)
		return code;
	hook = drive_wire_hook(wire, arguments->hook);
	if (hook == HOOK_MAX)
		return drive_wire_complain(wire, EX_USAGE, "the service has not registered %s",
					   arguments->hook == HOOK_MAX
						   ? "a hook that is asked"
						   : hook_word(arguments->hook));
	if (arguments->breaks)
		code = drive_break(wire, arguments->mode, hook);
	else
		code = drive_measure(wire, hook, arguments->count ? arguments->count : 10000,
				     arguments->window);
	return code == DRIVE_GO_ON ? EX_OK : code;
}

int drive_command(int argc, char **argv)
{
	struct arguments arguments = {.timeout = 5, .hook = HOOK_MAX};
	struct drive_wire wire;
	int code;

	argp_err_exit_status = EX_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
		return EX_USAGE;
	ident_seed();
	drive_wire_init(&wire, argv[0], arguments.socket, arguments.timeout);
	if (arguments.measure || arguments.breaks)
		code = ask_at_hook(&wire, &arguments);
	else if (arguments.script)
		code = play_script(&wire, &arguments);
	else
		code = play_session(&wire, &arguments);
	drive_wire_fini(&wire);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "%s: cannot write: %s\n", argv[0], strerror(errno));
		return EX_IOERR;
	}
	return code;
}
