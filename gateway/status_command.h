/* status_command: `gatepost status`, which prints what the gateway does. */
#ifndef STATUS_COMMAND_H
#define STATUS_COMMAND_H

/* `status [--socket PATH | -c FILE] [--watch] [--json]`: asks at control.sock and prints the
 * answer, as text or as the JSON line. With --watch once a second, on a terminal over what was
 * there before, until q, SIGINT, SIGTERM or the end of its reader; a gateway that goes away is
 * waited for. Returns a code after sysexits.h: EX_UNAVAILABLE when no gateway answers, EX_NOPERM
 * when it may not ask, EX_PROTOCOL when what answers is no gateway. */
int status_command(int argc, char **argv);

#endif
