#include "reaper.h"

#include <assert.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

struct dead {
	struct list link;
	void *object;
	void (*free_object)(void *object);
};

/* A process has one loop. Nothing of it is kept while nothing waits, so a test may use one loop
 * after another. */
static struct list waiting = {&waiting, &waiting};
static struct ev_loop *waiting_loop;
static ev_prepare turn_end;

static void on_turn_end(struct ev_loop *loop, ev_prepare *w, int revents)
{
	(void)w;
	(void)revents;
	reaper_run(loop);
}

void reaper_add(struct ev_loop *loop, void *object, void (*free_object)(void *object))
{
	struct dead *dead = mem_new(sizeof *dead);

	if (list_empty(&waiting)) {
		waiting_loop = loop;
		ev_prepare_init(&turn_end, on_turn_end);
		ev_prepare_start(loop, &turn_end);
		ev_unref(loop); /* what is dead must not keep a loop running */
	}
	assert(loop == waiting_loop);
	dead->object = object;
	dead->free_object = free_object;
	list_append(&waiting, &dead->link);
}

void reaper_run(struct ev_loop *loop)
{
	if (list_empty(&waiting))
		return;
	assert(loop == waiting_loop);
	/* Freeing one object may add another: its parts go with it. */
	while (!list_empty(&waiting)) {
		struct dead *dead = list_of(waiting.next, struct dead, link);

		dead->free_object(dead->object);
		list_remove(&dead->link);
		free(dead);
	}
	ev_ref(loop);
	ev_prepare_stop(loop, &turn_end);
}
