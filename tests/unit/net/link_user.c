#include "link_user.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "expect.h"
#include "net/reaper.h"

static void on_line(struct link_user *u)
{
	size_t len, used = strlen(u->lines);
	char *line = line_link_line(u->link, &len);

	assert_int_equal(line[len], '\0');
	if (len > u->longest)
		u->longest = len;
	if (len < 100)
		snprintf(u->lines + used, sizeof u->lines - used, "%s|", line);
	if (u->answer)
		assert_true(line_link_send(u->link, "ok\n", 3));
	if (u->count[LINE_LINK_LINE] == u->pause_after)
		line_link_pause(u->link, true);
	if (u->count[LINE_LINK_LINE] == u->free_after)
		line_link_free(&u->link);
}

static void on_event(void *arg, enum line_link_event event)
{
	struct link_user *u = arg;

	assert_false(u->inside);
	assert_non_null(u->link);
	u->count[event]++;
	if (event == LINE_LINK_LINE)
		on_line(u);
	else if ((event == LINE_LINK_UP && u->free_on_up) ||
		 (event == LINE_LINK_DOWN && u->free_on_down))
		line_link_free(&u->link);
}

void link_user_init(struct link_user *u, size_t out_max)
{
	int fds[2];

	*u = (struct link_user){.loop = ev_loop_new(0)};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	peer_init(&u->peer, u->loop, fds[1]);
	u->link = line_link_new(u->loop, fds[0], out_max, on_event, u);
}

void link_user_fini(struct link_user *u)
{
	line_link_free(&u->link);
	line_link_free(&u->link); /* harmless */
	peer_fini(&u->peer);
	reaper_run(u->loop);
	ev_loop_destroy(u->loop);
}

bool link_user_send(struct link_user *u, const char *text)
{
	bool sent;

	u->inside = true;
	sent = line_link_send(u->link, text, strlen(text));
	u->inside = false;
	return sent;
}

void link_user_dial(struct link_user *u, const char *path)
{
	*u = (struct link_user){.loop = ev_loop_new(0), .inside = true};
	peer_init(&u->peer, u->loop, -1);
	u->link = line_link_dial(u->loop, path, 4096, on_event, u);
	u->inside = false;
}
