#include "check_command.h"

#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "config/config.h"
#include "config/config_tls.h"

struct arguments {
	const char *file;
	bool defaults;
};

enum { OPTION_DEFAULTS = 256 };

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'c':
		arguments->file = value;
		return 0;
	case OPTION_DEFAULTS:
		arguments->defaults = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is too much; the file is given with -c", value);
		return EINVAL;
	case ARGP_KEY_END:
		if (!arguments->file && !arguments->defaults)
			argp_error(state, "say which file: -c FILE");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{"config", 'c', "FILE", 0, "The configuration file", 0},
	{"defaults", OPTION_DEFAULTS, NULL, 0,
	 "Print every setting with its default, its range and what it is for, as YAML", 0},
	{0}};

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.doc = "Says whether gatepost would start with FILE, and what to change if not.\v"
	       "Faults go to standard error, one line each: FILE:LINE: SETTING: what to do.\n\n"
	       "The exit code is 0 when the file is good, 78 when it has faults, 66 when it cannot "
	       "be "
	       "read, 64 when the command was called wrongly, 74 when the output cannot be "
	       "written. "
	       "Run it as the account that starts gatepost, for it must read the same keys and "
	       "passwords."};

/* config_load() saw that the files can be read; this sees that they fit. */
static bool tls_is_usable(const struct config *config)
{
	struct tls_context *contexts[CONFIG_TLS_CONTEXTS_MAX];
	char error[CONFIG_BLAME_SIZE];

	if (!config_tls_open(config, NULL, contexts, error, sizeof error)) {
		fprintf(stderr, "%s\n", error);
		return false;
	}
	config_tls_close(contexts);
	return true;
}

static int check_file(const char *file)
{
	struct config *config = config_load(file, stderr);
	bool usable;

	if (!config)
		return errno ? EX_NOINPUT : EX_CONFIG;
	usable = tls_is_usable(config);
	config_free(&config);
	if (!usable)
		return EX_CONFIG;
	printf("%s: ok\n", file);
	return EX_OK;
}

int check_command(int argc, char **argv)
{
	struct arguments arguments = {0};
	int code = EX_OK;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return EX_USAGE;
	if (arguments.defaults)
		config_print_defaults(stdout);
	else
		code = check_file(arguments.file);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "%s: cannot write: %s\n", argv[0], strerror(errno));
		return EX_IOERR;
	}
	return code;
}
