/* resolver_channel: questions to name servers with c-ares on the loop, for resolver.c.
 *
 *      ask --> [ waiting ] --a few at a time--> c-ares --> on_answer
 *
 * c-ares cannot forget one question: what is cancelled stays there, unheard, until its answer. */
#ifndef NET_RESOLVER_CHANNEL_H
#define NET_RESOLVER_CHANNEL_H

#include <ev.h>
#include <stddef.h>

struct resolver_channel;
struct resolver_question;

/* `servers` as in resolver_new(). A server is asked a second time, or the next one a first time,
 * after a third of `timeout`. NULL with a reason in `error`. */
struct resolver_channel *resolver_channel_new(struct ev_loop *loop, const char *servers,
					      double timeout, char *error, size_t size);
/* Every question must have been answered or cancelled. May be called out of on_answer. */
void resolver_channel_free(struct resolver_channel **c);

/* The names of an address of 4 or 16 octets (copied). The question is valid until its on_answer,
 * which comes once and from the loop, or until cancelled. The list ends in NULL and is valid during
 * the call; it is NULL when there is no answer, or a bad one. Names may hold any octet. */
struct resolver_question *resolver_channel_ask_names(struct resolver_channel *c,
						     const unsigned char *ip, unsigned ip_len,
						     void (*on_answer)(void *arg, char **list),
						     void *arg);
/* Likewise the addresses of a name (copied) that have `ip_len` octets, as octets in network order.
 */
struct resolver_question *resolver_channel_ask_addresses(struct resolver_channel *c,
							 const char *name, unsigned ip_len,
							 void (*on_answer)(void *arg, char **list),
							 void *arg);
void resolver_channel_cancel(struct resolver_question **q);

#endif
