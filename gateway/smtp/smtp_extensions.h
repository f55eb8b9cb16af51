/* smtp_extensions: what the reply to EHLO lists. Only what works here and now is listed. */
#ifndef SMTP_SMTP_EXTENSIONS_H
#define SMTP_SMTP_EXTENSIONS_H

#include "smtp_engine.h"

/* The 250 reply: the greeting line, then an extension a line. */
enum smtp_step smtp_extensions_send(struct smtp *s, const char *greeting);

#endif
