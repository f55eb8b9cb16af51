/* events_command: `gatepost events`, which prints the event stream. */
#ifndef EVENTS_COMMAND_H
#define EVENTS_COMMAND_H

/* Coloured lines on a terminal, the JSON lines as they came when standard output is none. Ends with
 * EX_OK on SIGINT, SIGTERM and when its reader goes away (`| head`), with EX_UNAVAILABLE when the
 * gateway cannot be reached, says nothing, not even a heartbeat, or closes the stream. */
int events_command(int argc, char **argv);

#endif
