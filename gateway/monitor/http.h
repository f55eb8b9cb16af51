/* http: an HTTP/1.1 server for a few pages, in the loop of its caller.
 *
 *      client --GET /metrics--> libmicrohttpd --page->write()--> body
 *
 * Its clients are not trusted to be kind. A connection is for one request and lives for
 * HTTP_SECONDS at most; when there are HTTP_CONNECTIONS_MAX, each new one ends the oldest, so that
 * those who only keep a place cannot keep others out. Headers have 16 KiB. A page can be kept for a
 * while, so that asking for it again and again costs nothing. */
#ifndef MONITOR_HTTP_H
#define MONITOR_HTTP_H

#include <ev.h>
#include <stddef.h>

#include "base/buf.h"

#define HTTP_CONNECTIONS_MAX 64
#define HTTP_SECONDS	     10.0
#define HTTP_BODY_MAX	     67108864 /* octets of a page; a larger one is answered with 500 */

struct http_page {
	const char *path; /* "/metrics" */
	const char *type; /* of the content */
	double keep;	  /* seconds that a body is good for; 0: it is made for each request */
	/* Appends the body; returns the status. */
	unsigned (*write)(void *arg, struct buf *body);
};

struct http;

/* Takes over the listening descriptor, which does not block. `pages` stay the caller's and must
 * stay unchanged. NULL, with the descriptor closed, when the system does not allow it (logged). */
struct http *http_new(struct ev_loop *loop, int listener, const struct http_page *pages, size_t len,
		      void *arg);
/* Closes all connections and frees. Not from inside write(). */
void http_free(struct http **http);

#endif
