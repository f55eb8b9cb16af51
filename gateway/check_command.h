/* check_command: `gatepost check`, which says whether a configuration would start. */
#ifndef CHECK_COMMAND_H
#define CHECK_COMMAND_H

/* `check -c FILE` says "FILE: ok", or the faults on standard error, one line each. `check
 * --defaults` prints every setting and reads no file. argv[0] is the name for messages, "gatepost
 * check". Returns a code after sysexits.h: EX_OK, EX_CONFIG, EX_NOINPUT, EX_IOERR. A wrong call and
 * --help end the process, as argp does, with EX_USAGE and 0. */
int check_command(int argc, char **argv);

#endif
