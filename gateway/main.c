#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/ident.h"
#include "base/log.h"
#include "check_command.h"
#include "config/config.h"
#include "drive_command.h"
#include "events_command.h"
#include "net/passed.h"
#include "process/master.h"
#include "status_command.h"

static const char overview[] =
	"Usage: gatepost COMMAND [OPTION...]\n"
	"The programmable front door of e-mail.\n"
	"\n"
	"  serve -c FILE             accept mail\n"
	"  check -c FILE             say whether a configuration would start\n"
	"  check --defaults          print every setting with its default\n"
	"  status [--watch]          print what the gateway does\n"
	"  events [EVENT...]         print the event stream\n"
	"  drive SOCKET [SCRIPT]     play the gateway against a policy service\n"
	"\n"
	"  gatepost COMMAND --help   explains a command\n"
	"  gatepost --version        prints the version\n";

static error_t serve_option(int key, char *argument, struct argp_state *state)
{
	const char **file = state->input;

	switch (key) {
	case 'c':
		*file = argument;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is too much; the file is given with -c", argument);
		return EINVAL;
	case ARGP_KEY_END:
		if (!*file)
			argp_error(state, "name the configuration: -c FILE");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int serve_command(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"config", 'c', "FILE", 0, "The configuration (see gatepost.yaml(5))", 0},
		{0},
	};
	static const struct argp argp = {
		.options = options,
		.parser = serve_option,
		.doc = "Accepts mail, as the configuration says.\v"
		       "SIGHUP reads the configuration again, SIGUSR1 opens log.file anew, SIGTERM "
		       "and SIGINT end it.\n\n"
		       "Ends with 0 when it was told to, with 64 when called wrongly, 66 when the "
		       "configuration cannot be read, 78 when it has faults, 73 when something in "
		       "it cannot be used, such as an address that is taken.",
	};
	struct config *config;
	const char *file = NULL;

	argp_err_exit_status = EX_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &file) != 0)
		return EX_USAGE;
	passed_read();
	config = config_load(file, stderr);
	if (!config)
		return errno ? EX_NOINPUT : EX_CONFIG;
	ident_seed();
	return master_serve(file, config);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{"serve", serve_command},   {"check", check_command}, {"status", status_command},
		{"events", events_command}, {"drive", drive_command},
	};
	char name[64];

	if (argc < 2) {
		fputs(overview, stderr);
		return EX_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		fputs(overview, stdout);
		return EX_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("gatepost " GATEPOST_VERSION);
		return EX_OK;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			snprintf(name, sizeof name, "gatepost %s", commands[i].name);
			argv[1] = name;
			return commands[i].run(argc - 1, argv + 1);
		}
	}
	fprintf(stderr,
		"gatepost: there is no command \"%s\": use serve, check, status, events or drive\n",
		argv[1]);
	return EX_USAGE;
}
