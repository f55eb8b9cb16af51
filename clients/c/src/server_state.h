/* server_state: a server from within. Connections are known by number, since they can go at any
 * time. */
#ifndef GATEPOST_SERVER_STATE_H
#define GATEPOST_SERVER_STATE_H

#include <stdint.h>
#include <sys/stat.h>

#include "server.h"

#define CONNECTION_MAX	  256 /* a gateway makes one for each worker */
#define READ_SIZE	  65536
#define OUT_MAX		  1048576 /* unsent: a gateway that does not read is not read from either */
#define HANDSHAKE_SECONDS 5
#define GRACE_SECONDS	  5 /* for the last replies, at least */

enum { NUMBER_LISTENER, NUMBER_TICKER, NUMBER_ORDER, NUMBER_FIRST };

struct gatepost_connection {
	uint64_t number;
	int fd;
	struct gatepost_policy *policy;
	uint32_t events;    /* waited for */
	unsigned seconds;   /* of its handshake */
	bool window_is_due; /* to be told when ready */
};

struct gatepost_server {
	const struct gatepost_policy_options *options;
	gatepost_handler *handler;
	void *arg;
	char *path;
	struct stat made; /* the socket that we have made */
	int listener, epoll, ticker;
	int order;    /* to drain, when it is readable; not ours */
	bool is_deaf; /* no descriptor was left for a connection: the next tick tries again */
	bool may_defer, draining;
	unsigned seconds_left; /* of draining */
	bool has_window;
	unsigned window;
	struct gatepost_connection *connections[CONNECTION_MAX];
	size_t len;
	uint64_t last_number;
	char in[READ_SIZE];
};

/* NULL when it is gone. */
struct gatepost_connection *gatepost_server_find(const struct gatepost_server *server,
						 uint64_t number);
/* What was written for it goes out with the next step. */
void gatepost_server_want_out(const struct gatepost_server *server,
			      struct gatepost_connection *connection);
void gatepost_server_tell(const struct gatepost_server *server, const char *text);
/* Sends the verdict, or a fault when it breaks a rule. */
void gatepost_server_decide(const struct gatepost_server *server, struct gatepost_policy *policy,
			    uint64_t id, const struct gatepost_verdict *verdict);
/* Forgets the connection. */
void gatepost_server_drop(struct gatepost_server *server, struct gatepost_connection *connection);
/* Reads, answers, writes. May drop it. */
void gatepost_server_serve(struct gatepost_server *server, struct gatepost_connection *connection,
			   uint32_t happened);

#endif
