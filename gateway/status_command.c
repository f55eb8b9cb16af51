#include "status_command.h"

#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "config/config.h"
#include "status_watch.h"

#define DEFAULT_SOCKET "/run/gatepost/control.sock"

struct arguments {
	const char *socket, *config;
	bool watch, json;
};

static const struct argp_option options[] = {
	{"socket", 's', "PATH", 0, "The gateway's control socket (" DEFAULT_SOCKET ")", 0},
	{"config", 'c', "FILE", 0, "The gateway's configuration, which tells where the socket is",
	 0},
	{"watch", 'w', NULL, 0, "Once a second, with the rates of this second, until q or Ctrl-C",
	 0},
	{"json", 'j', NULL, 0, "Print the gateway's answer as it comes, a line of JSON", 0},
	{"version", 'V', NULL, 0, "Print the version", -1},
	{0}};

static error_t on_option(int key, char *value, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 's':
		arguments->socket = value;
		return 0;
	case 'c':
		arguments->config = value;
		return 0;
	case 'w':
		arguments->watch = true;
		return 0;
	case 'j':
		arguments->json = true;
		return 0;
	case 'V':
		printf("gatepost %s\n", GATEPOST_VERSION);
		exit(EX_OK);
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is too much; the socket is given with --socket", value);
		return EINVAL;
	case ARGP_KEY_END:
		if (arguments->socket && arguments->config)
			argp_error(state, "give --socket or --config, not both");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {.options = options,
				 .parser = on_option,
				 .doc = "Prints what the gateway does: whether it is ready, its "
					"processes, sessions, messages, "
					"policies, deliveries and events.\v"
					"Ends with 0, with 69 when no gateway answers, with 77 "
					"when the account may not ask, 64 when called wrongly, "
					"66 and 78 when FILE cannot be read or has faults, 76 "
					"when what answers is no gateway, 74 when the output "
					"cannot be written."};

/* False: *code is that of the command. */
static bool find_socket(const struct arguments *arguments, char *path, size_t size, int *code)
{
	struct config *config;

	if (!arguments->config) {
		snprintf(path, size, "%s", arguments->socket ? arguments->socket : DEFAULT_SOCKET);
		return true;
	}
	config = config_load(arguments->config, stderr);
	if (!config) {
		*code = errno ? EX_NOINPUT : EX_CONFIG;
		return false;
	}
	snprintf(path, size, "%s/control.sock", config->runtime_dir);
	config_free(&config);
	return true;
}

int status_command(int argc, char **argv)
{
	struct arguments arguments = {0};
	char path[256];
	struct status_watch settings = {.program = argv[0], .path = path};
	int code;

	argp_err_exit_status = EX_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
		return EX_USAGE;
	if (!find_socket(&arguments, path, sizeof path, &code))
		return code;
	settings.watch = arguments.watch;
	settings.json = arguments.json;
	return status_watch_run(&settings);
}
