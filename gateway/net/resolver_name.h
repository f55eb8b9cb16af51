/* resolver_name: what of an answer may be called a name, for resolver.c; pure. */
#ifndef NET_RESOLVER_NAME_H
#define NET_RESOLVER_NAME_H

#include "net/resolver.h"

/* The text as `result`'s name, in lower case; false, and nothing changed, when it is no host name.
 */
bool resolver_name_take(const char *text, struct resolver_name *result);

#endif
