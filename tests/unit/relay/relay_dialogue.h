/* relay_dialogue: runs an engine against a server that is written down as text, with the server's
 * octets whole, one by one, and cut in two at every place.
 *
 *      S: 220 mx                     the server says a line, ended by CRLF
 *      R: 250 a\n                    it says just this; \r \n \0 \\ are those octets
 *      C: EHLO gw                    the engine has said this line
 *      C| abc                        the engine has said just this
 *      begin a@b SIZE=3              a call of the engine; also rcpt, send SIZE [chunking], body
 *                                    TEXT, end, reset, quit, lost, tls, client
 *      = RECIPIENT 0 250 2.1.5 OK    what the step says
 *      ? unknown                     a fact: unknown known answered unanswered secure accepted N
 *
 * A server says nothing before the lines above it were said and checked. */
#ifndef RELAY_DIALOGUE_H
#define RELAY_DIALOGUE_H

#include "relay/relay_engine.h"

struct relay_dialogue {
	const char *name;
	struct relay_engine_settings settings; /* hostname NULL: "gw" */
	const char *script;
};

/* Fails the test where the engine does anything else. */
void relay_dialogue_run(const struct relay_dialogue *dialogues, size_t len);

#endif
