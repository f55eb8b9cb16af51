/* link_user: a line_link under test with a user that records what it is told. */
#ifndef TESTS_NET_LINK_USER_H
#define TESTS_NET_LINK_USER_H

#include <ev.h>
#include <stdbool.h>

#include "net/line_link.h"
#include "peer.h"

struct link_user {
	struct ev_loop *loop;
	struct line_link *link;
	struct peer peer;
	char lines[4096]; /* each with a '|' behind it */
	size_t longest;
	unsigned count[4];		  /* of each event */
	unsigned pause_after, free_after; /* that many lines; 0: never */
	bool free_on_up, free_on_down;
	bool answer;
	bool inside;
};

/* Over a socket pair whose other end is `peer`. */
void link_user_init(struct link_user *u, size_t out_max);
/* Dials path; `peer` has no socket yet. */
void link_user_dial(struct link_user *u, const char *path);
void link_user_fini(struct link_user *u);
bool link_user_send(struct link_user *u, const char *text);

#endif
