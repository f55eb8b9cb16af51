#include "resolver_channel.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <assert.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "net/address.h"
#include "net/reaper.h"

#define TRIES 2 /* the second one has twice the time of the first */
/* A thousand questions at once overrun the socket of a name server, and their repetitions overrun
 * it again. So no more than these are out, but for no longer than this: names whose servers do not
 * answer must not keep others waiting. */
#define BURST_MAX     100
#define BURST_SECONDS 0.02
/* c-ares draws 16-bit ids until it finds a free one: with all taken it would never return. */
#define QUESTIONS_MAX 16384

struct resolver_channel {
	struct ev_loop *loop;
	ares_channel ares;
	double first_try; /* seconds */
	bool closed;
	ev_timer retry; /* the next wait of c-ares that ends */
	ev_timer pace;	/* there is something in `waiting` */
	struct list sockets, waiting;
	unsigned burst;
	unsigned questions; /* that c-ares has */
};

/* A socket of c-ares, which opens and closes it. */
struct socket {
	struct list link;
	ev_io io;
};

struct resolver_question {
	struct list link; /* in waiting, or in nothing */
	struct resolver_channel *channel;
	bool asked;
	unsigned ip_len;
	unsigned char ip[16];
	char *name; /* NULL: the names of ip */
	void (*on_answer)(void *arg, char **list);
	void *arg;
};

static void free_question(struct resolver_question *q)
{
	list_remove(&q->link);
	free(q->name);
	free(q);
}

/* The last act of a callback of c-ares but for freeing the list. */
static void answer(struct resolver_question *q, char **list)
{
	void (*on_answer)(void *arg, char **list) = q->on_answer;
	void *arg = q->arg;

	q->channel->questions--;
	if (q->channel->burst)
		q->channel->burst--;
	free_question(q);
	if (on_answer)
		on_answer(arg, list);
}

static void on_names(void *arg, int status, int timeouts, struct hostent *host)
{
	(void)timeouts;
	answer(arg, status == ARES_SUCCESS ? host->h_aliases : NULL);
}

static void on_addresses(void *arg, int status, int timeouts, unsigned char *data, int length)
{
	const struct resolver_question *q = arg;
	struct hostent *host = NULL;

	(void)timeouts;
	if (status == ARES_SUCCESS && q->ip_len == 4)
		ares_parse_a_reply(data, length, &host, NULL, NULL);
	else if (status == ARES_SUCCESS)
		ares_parse_aaaa_reply(data, length, &host, NULL, NULL);
	answer(arg, host ? host->h_addr_list : NULL);
	ares_free_hostent(host);
}

/* May answer at once, and its callback close the channel. */
static void ask(struct resolver_question *q)
{
	struct resolver_channel *c = q->channel;

	list_remove(&q->link);
	q->asked = true;
	c->questions++;
	c->burst++;
	if (q->name)
		ares_query(c->ares, q->name, ns_c_in, q->ip_len == 4 ? ns_t_a : ns_t_aaaa,
			   on_addresses, q);
	else
		ares_gethostbyaddr(c->ares, q->ip, (int)q->ip_len,
				   q->ip_len == 4 ? AF_INET : AF_INET6, on_names, q);
}

/* c-ares walks through all questions for this, so it is asked when a wait has ended and not when
 * one begins: none is shorter than a first try. */
static double next_retry(const struct resolver_channel *c)
{
	struct timeval most = {.tv_sec = (time_t)c->first_try}, tv, *next;

	most.tv_usec = (suseconds_t)((c->first_try - (double)most.tv_sec) * 1e6);
	next = ares_timeout(c->ares, &most, &tv);
	/* It rounds down to milliseconds. */
	return (double)next->tv_sec + (double)next->tv_usec / 1e6 + 0.001;
}

static void start_timer(struct resolver_channel *c, ev_timer *timer, double seconds)
{
	if (ev_is_active(timer))
		return;
	ev_timer_set(timer, seconds, 0.);
	ev_timer_start(c->loop, timer);
}

/* At the end of each turn in which c-ares may have done something. */
static void proceed(struct resolver_channel *c)
{
	while (!list_empty(&c->waiting) && c->burst < BURST_MAX && c->questions < QUESTIONS_MAX)
		ask(list_of(c->waiting.next, struct resolver_question, link));
	if (c->closed)
		return;
	if (!list_empty(&c->waiting))
		start_timer(c, &c->pace, BURST_SECONDS);
	if (!c->questions)
		ev_timer_stop(c->loop, &c->retry);
	else if (!ev_is_active(&c->retry))
		start_timer(c, &c->retry, next_retry(c));
}

static void on_pace(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct resolver_channel *c = w->data;

	(void)loop;
	(void)revents;
	if (c->burst >= BURST_MAX)
		c->burst = 0;
	proceed(c);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct resolver_channel *c = w->data;

	(void)loop;
	(void)revents;
	ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	proceed(c);
}

static void on_socket(struct ev_loop *loop, ev_io *w, int revents)
{
	struct resolver_channel *c = w->data;
	int fd = w->fd;

	(void)loop;
	/* c-ares may close the socket in there, and then the watcher is no more. */
	ares_process_fd(c->ares, revents & EV_READ ? fd : ARES_SOCKET_BAD,
			revents & EV_WRITE ? fd : ARES_SOCKET_BAD);
	proceed(c);
}

static struct socket *find_socket(struct resolver_channel *c, int fd)
{
	struct socket *s;

	list_each(at, after, &c->sockets)
	{
		s = list_of(at, struct socket, link);
		if (s->io.fd == fd)
			return s;
	}
	s = mem_new(sizeof *s);
	ev_io_init(&s->io, on_socket, fd, EV_READ);
	s->io.data = c;
	list_append(&c->sockets, &s->link);
	return s;
}

/* c-ares tells what it wants to know of a socket; neither: it is about to close it. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver_channel *c = arg;
	struct socket *s = find_socket(c, fd);

	ev_io_stop(c->loop, &s->io);
	if (!readable && !writable) {
		list_remove(&s->link);
		free(s);
		return;
	}
	ev_io_set(&s->io, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	ev_io_start(c->loop, &s->io);
}

/* c-ares itself would take port 99999. */
static bool set_servers(struct resolver_channel *c, const char *servers)
{
	struct address address;
	char text[64];
	size_t length;

	for (const char *at = servers;; at += length + 1) {
		length = strcspn(at, ",");
		snprintf(text, sizeof text, "%.*s", (int)length, at);
		if (!address_parse(text, &address) || !address_port(&address))
			return false;
		if (!at[length])
			return ares_set_servers_ports_csv(c->ares, servers) == ARES_SUCCESS;
	}
}

static int start(struct resolver_channel *c)
{
	char dns_only[] = "b"; /* reading /etc/hosts would hold the loop */
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = (int)(c->first_try * 1000) + 1,
		.tries = TRIES,
		.lookups = dns_only,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = c,
	};

	return ares_init_options(&c->ares, &options,
				 ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
					 ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
}

struct resolver_channel *resolver_channel_new(struct ev_loop *loop, const char *servers,
					      double timeout, char *error, size_t size)
{
	struct resolver_channel *c = mem_new(sizeof *c);
	int status;

	assert(timeout > 0);
	c->loop = loop;
	/* So both questions of a look-up get through although the first server is dead. */
	c->first_try = timeout / 3;
	ev_init(&c->retry, on_retry);
	ev_init(&c->pace, on_pace);
	c->retry.data = c->pace.data = c;
	list_init(&c->sockets);
	list_init(&c->waiting);
	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (!status)
		status = start(c);
	if (!status && (!servers || set_servers(c, servers)))
		return c;
	if (status)
		snprintf(error, size, "c-ares does not start: %s", ares_strerror(status));
	else
		snprintf(error, size, "\"%s\": name servers must be address:port,address:port",
			 servers);
	resolver_channel_free(&c);
	return NULL;
}

static void free_channel(void *object)
{
	struct resolver_channel *c = object;

	if (c->ares)
		ares_destroy(c->ares); /* gives back each question and socket */
	ares_library_cleanup();
	free(c);
}

void resolver_channel_free(struct resolver_channel **c)
{
	struct resolver_channel *dead = *c;

	if (!dead)
		return;
	assert(list_empty(&dead->waiting));
	*c = NULL;
	dead->closed = true;
	ev_timer_stop(dead->loop, &dead->retry);
	ev_timer_stop(dead->loop, &dead->pace);
	/* c-ares may be what called us. Till then it has nobody to answer. */
	reaper_add(dead->loop, dead, free_channel);
}

static struct resolver_question *queue(struct resolver_channel *c, unsigned ip_len,
				       void (*on_answer)(void *arg, char **list), void *arg)
{
	struct resolver_question *q = mem_new(sizeof *q);

	assert(ip_len == 4 || ip_len == 16);
	q->channel = c;
	q->ip_len = ip_len;
	q->on_answer = on_answer;
	q->arg = arg;
	list_append(&c->waiting, &q->link);
	start_timer(c, &c->pace, c->burst < BURST_MAX ? 0. : BURST_SECONDS);
	return q;
}

struct resolver_question *resolver_channel_ask_names(struct resolver_channel *c,
						     const unsigned char *ip, unsigned ip_len,
						     void (*on_answer)(void *arg, char **list),
						     void *arg)
{
	struct resolver_question *q = queue(c, ip_len, on_answer, arg);

	memcpy(q->ip, ip, ip_len);
	return q;
}

struct resolver_question *resolver_channel_ask_addresses(struct resolver_channel *c,
							 const char *name, unsigned ip_len,
							 void (*on_answer)(void *arg, char **list),
							 void *arg)
{
	struct resolver_question *q = queue(c, ip_len, on_answer, arg);

	q->name = mem_copy_string(name);
	return q;
}

void resolver_channel_cancel(struct resolver_question **q)
{
	if (!*q)
		return;
	(*q)->on_answer = NULL;
	if (!(*q)->asked)
		free_question(*q);
	*q = NULL;
}
