/* smtp_xclient: reads the attributes of XCLIENT, with which a trusted peer says for whom it speaks
 * (Postfix XCLIENT_README; no RFC).
 *
 *      NAME=a.example ADDR=IPV6:2001:db8::1 LOGIN=[UNAVAILABLE] */
#ifndef SMTP_SMTP_XCLIENT_H
#define SMTP_SMTP_XCLIENT_H

#include "smtp.h"

#define SMTP_XCLIENT_NAMES "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"

/* Adds what the attributes say to *x, in place of what it said of them before: a client with much
 * to say says it in several commands. False when one of them is unknown, given twice or has a bad
 * value; *x is worth nothing then. */
bool smtp_xclient_parse(const char *data, size_t len, struct smtp_xclient *x);
/* As if LOGIN had not been given. */
void smtp_xclient_forget_login(struct smtp_xclient *x);

#endif
