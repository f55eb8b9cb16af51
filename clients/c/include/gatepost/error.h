/* error: why something went wrong, for a program and for its author. */
#ifndef GATEPOST_ERROR_H
#define GATEPOST_ERROR_H

/* Zeroed: no error. */
struct gatepost_error {
	char code[32]; /* a code of PROTOCOL.md such as "bad_json"; or "usage": the caller's fault;
			  "content", "system" */
	char message[256]; /* one line of printable ASCII */
};

/* Told what an operator should read, one line of printable ASCII without LF; valid during the call.
 * It must not call the library. */
typedef void gatepost_log(void *log_arg, const char *message);

#endif
