/* drive_command: `gatepost drive`, which plays the gateway against a policy service. */
#ifndef DRIVE_COMMAND_H
#define DRIVE_COMMAND_H

/* `drive [OPTION...] SOCKET [SCRIPT]`. EX_OK when all expectations were met, 1 when one was not,
 * EX_UNAVAILABLE without a service, EX_PROTOCOL when it breaks the protocol, EX_DATAERR for a bad
 * line of the script. */
int drive_command(int argc, char **argv);

#endif
