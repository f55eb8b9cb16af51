#include "resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "net/resolver_channel.h"
#include "net/resolver_name.h"

#define NAMES_MAX 10
#define BUCKETS	  1024

struct resolver {
	struct ev_loop *loop;
	struct resolver_channel *channel;
	double timeout;
	uint64_t last_id;
	struct list open[BUCKETS]; /* look-ups by id */
};

struct look_up {
	struct list link; /* in open[] */
	struct resolver *resolver;
	uint64_t id;
	ev_timer deadline;
	struct resolver_question *question; /* NULL: none is open */
	unsigned char ip[16];
	unsigned ip_len;
	char *names[NAMES_MAX];
	size_t n, at; /* names[at] is being confirmed */
	void (*on_name)(void *arg, const struct resolver_name *name);
	void *arg;
};

static void free_look_up(struct look_up *l)
{
	ev_timer_stop(l->resolver->loop, &l->deadline);
	resolver_channel_cancel(&l->question);
	list_remove(&l->link);
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l);
}

/* The last act of whoever calls it: the callback may free the resolver. */
static void finish(struct look_up *l, const char *name, bool verified)
{
	struct resolver_name result = {.verified = verified};
	void (*on_name)(void *arg, const struct resolver_name *name) = l->on_name;
	void *arg = l->arg;

	snprintf(result.name, sizeof result.name, "%s", name);
	free_look_up(l);
	on_name(arg, &result);
}

static void confirm(struct look_up *l);

static void on_addresses(void *arg, char **list)
{
	struct look_up *l = arg;
	bool verified = false;

	l->question = NULL;
	for (char **at = list; at && *at && !verified; at++)
		verified = !memcmp(*at, l->ip, l->ip_len);
	if (verified) {
		finish(l, l->names[l->at], true);
		return;
	}
	l->at++;
	confirm(l);
}

/* One name after the other. All at once would let whoever has an address's zone turn each
 * connection into ten questions of ours. */
static void confirm(struct look_up *l)
{
	if (l->at == l->n)
		finish(l, l->n ? l->names[0] : "", false);
	else
		l->question = resolver_channel_ask_addresses(l->resolver->channel, l->names[l->at],
							     l->ip_len, on_addresses, l);
}

static void on_names(void *arg, char **list)
{
	struct look_up *l = arg;
	struct resolver_name name;

	l->question = NULL;
	for (size_t i = 0; i < NAMES_MAX && list && list[i]; i++) {
		if (resolver_name_take(list[i], &name))
			l->names[l->n++] = mem_copy_string(name.name);
	}
	confirm(l);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	finish(w->data, "", false);
}

struct resolver *resolver_new(struct ev_loop *loop, const char *servers, double timeout,
			      char *error, size_t size)
{
	struct resolver *r = mem_new(sizeof *r);

	r->loop = loop;
	r->timeout = timeout;
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&r->open[i]);
	r->channel = resolver_channel_new(loop, servers, timeout, error, size);
	if (!r->channel)
		resolver_free(&r);
	return r;
}

void resolver_free(struct resolver **r)
{
	if (!*r)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		list_each(at, after, &(*r)->open[i])
		{
			free_look_up(list_of(at, struct look_up, link));
		}
	}
	resolver_channel_free(&(*r)->channel);
	free(*r);
	*r = NULL;
}

uint64_t resolver_look_up(struct resolver *r, const struct address *client,
			  void (*on_name)(void *arg, const struct resolver_name *name), void *arg)
{
	struct look_up *l = mem_new(sizeof *l);
	const unsigned char *octets;

	l->resolver = r;
	l->id = ++r->last_id;
	l->on_name = on_name;
	l->arg = arg;
	l->ip_len = address_octets(client, &octets);
	list_append(&r->open[l->id % BUCKETS], &l->link);
	/* A client without an IP has no name, and that in the next turn. */
	ev_timer_init(&l->deadline, on_deadline, l->ip_len ? r->timeout : 0., 0.);
	l->deadline.data = l;
	ev_timer_start(r->loop, &l->deadline);
	if (l->ip_len) {
		memcpy(l->ip, octets, l->ip_len);
		l->question = resolver_channel_ask_names(r->channel, l->ip, l->ip_len, on_names, l);
	}
	return l->id;
}

void resolver_cancel(struct resolver *r, uint64_t id)
{
	list_each(at, after, &r->open[id % BUCKETS])
	{
		struct look_up *l = list_of(at, struct look_up, link);

		if (l->id == id)
			free_look_up(l);
	}
}
