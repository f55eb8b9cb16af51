#include "http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"

#define HEADERS_MAX 16384
/* Those that are cut are still there for a turn of the loop. */
#define LIMIT (HTTP_CONNECTIONS_MAX + 32)

struct kept {
	struct MHD_Response *response; /* NULL: none */
	unsigned status;
	ev_tstamp made;
};

struct http {
	struct ev_loop *loop;
	struct MHD_Daemon *daemon;
	const struct http_page *pages;
	size_t len;
	void *arg;
	struct kept *kept; /* one for each page */
	ev_io io;
	ev_timer again, clock; /* when the library wants to be called; when the oldest is over */
	struct list clients;   /* the oldest first */
	unsigned clients_len;
};

struct client {
	struct list link;
	struct http *http;
	int fd;
	ev_tstamp since;
	bool cut;
};

/* --- connections --- */

/* The library sees the end, and closes. */
static void cut(struct client *client)
{
	client->cut = true;
	client->http->clients_len--;
	list_remove(&client->link);
	list_init(&client->link);
	shutdown(client->fd, SHUT_RDWR);
}

static void set_clock(struct http *h)
{
	struct client *oldest;

	ev_timer_stop(h->loop, &h->clock);
	if (list_empty(&h->clients))
		return;
	oldest = list_of(h->clients.next, struct client, link);
	ev_timer_set(&h->clock, oldest->since + HTTP_SECONDS - ev_now(h->loop), 0);
	ev_timer_start(h->loop, &h->clock);
}

static void on_clock(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct http *h = timer->data;

	(void)events;
	list_each(at, after, &h->clients)
	{
		struct client *client = list_of(at, struct client, link);

		if (client->since + HTTP_SECONDS > ev_now(loop) + 0.001)
			break;
		cut(client);
	}
	set_clock(h);
}

static void open_client(struct http *h, struct MHD_Connection *connection, void **context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct client *client = mem_new(sizeof *client);

	client->http = h;
	client->fd = info->connect_fd;
	client->since = ev_now(h->loop);
	list_append(&h->clients, &client->link);
	*context = client;
	if (++h->clients_len > HTTP_CONNECTIONS_MAX)
		cut(list_of(h->clients.next, struct client, link));
	set_clock(h);
}

static void close_client(struct http *h, struct client *client)
{
	if (!client->cut)
		h->clients_len--;
	list_remove(&client->link);
	free(client);
	set_clock(h);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		open_client(arg, connection, context);
	else if (*context)
		close_client(arg, *context);
}

/* --- answers --- */

static struct MHD_Response *response_of(void *data, size_t len, enum MHD_ResponseMemoryMode mode,
					const char *type)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, data, mode);

	if (!response)
		abort(); /* out of memory, as in mem_new() */
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return response;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text)
{
	char *copy = mem_copy_string(text);
	struct MHD_Response *response =
		response_of(copy, strlen(copy), MHD_RESPMEM_MUST_FREE, "text/plain; charset=utf-8");
	enum MHD_Result result;

	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* The library counts who still sends it. */
static void drop(struct kept *kept)
{
	if (kept->response)
		MHD_destroy_response(kept->response);
	kept->response = NULL;
}

static void make(struct http *h, const struct http_page *page, struct kept *kept)
{
	struct buf body;
	unsigned status;

	drop(kept);
	buf_init(&body, HTTP_BODY_MAX);
	status = page->write(h->arg, &body);
	if (body.overflow) {
		buf_fini(&body);
		buf_init(&body, HTTP_BODY_MAX);
		status = MHD_HTTP_INTERNAL_SERVER_ERROR;
		buf_append_string(&body, "larger than the gateway makes a page\n");
	}
	/* The memory is the response's now; nothing was consumed, so it begins where it was given.
	 */
	kept->response = response_of(body.data, body.len, MHD_RESPMEM_MUST_FREE, page->type);
	kept->status = status;
	kept->made = ev_now(h->loop);
}

static enum MHD_Result show(struct http *h, size_t i, struct MHD_Connection *connection)
{
	struct kept *kept = &h->kept[i];
	double age = ev_now(h->loop) - kept->made;

	if (!kept->response || age < 0 || age >= h->pages[i].keep)
		make(h, &h->pages[i], kept);
	return MHD_queue_response(connection, kept->status, kept->response);
}

/* Called again for a body, should the client send one: it was answered before, unread. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *len, void **state)
{
	struct http *h = arg;

	(void)version, (void)data, (void)len, (void)state;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n");
	for (size_t i = 0; i < h->len; i++) {
		if (strcmp(url, h->pages[i].path) == 0)
			return show(h, i, connection);
	}
	return refuse(connection, MHD_HTTP_NOT_FOUND, "no such page\n");
}

/* --- the loop --- */

static void run(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(h->daemon);
	ev_timer_stop(h->loop, &h->again);
	if (MHD_get_timeout(h->daemon, &ms) != MHD_YES)
		return;
	ev_timer_set(&h->again, (double)ms / 1000, 0);
	ev_timer_start(h->loop, &h->again);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop, (void)events;
	run(io->data);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	run(timer->data);
}

static bool start(struct http *h, int listener)
{
	const union MHD_DaemonInfo *info;

	h->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, listener,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)LIMIT, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HEADERS_MAX, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
	if (!h->daemon)
		return false;
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	ev_io_set(&h->io, info->epoll_fd, EV_READ);
	ev_io_start(h->loop, &h->io);
	return true;
}

struct http *http_new(struct ev_loop *loop, int listener, const struct http_page *pages, size_t len,
		      void *arg)
{
	struct http *h = mem_new(sizeof *h);

	h->loop = loop;
	h->pages = pages;
	h->len = len;
	h->arg = arg;
	h->kept = mem_new(len * sizeof *h->kept);
	list_init(&h->clients);
	ev_io_init(&h->io, on_io, -1, EV_READ);
	ev_timer_init(&h->again, on_again, 0, 0);
	ev_timer_init(&h->clock, on_clock, 0, 0);
	h->io.data = h->again.data = h->clock.data = h;
	if (start(h, listener))
		return h;
	log_error("http: cannot serve: %s", strerror(errno));
	close(listener);
	http_free(&h);
	return NULL;
}

void http_free(struct http **http)
{
	struct http *h = *http;

	if (!h)
		return;
	*http = NULL;
	ev_io_stop(h->loop, &h->io);
	if (h->daemon)
		MHD_stop_daemon(h->daemon); /* closes the listener, too */
	ev_timer_stop(h->loop, &h->again);
	ev_timer_stop(h->loop, &h->clock);
	for (size_t i = 0; i < h->len; i++)
		drop(&h->kept[i]);
	free(h->kept);
	free(h);
}
