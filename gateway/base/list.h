/* list: a circular doubly linked list whose links live in the members. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

/* The structure that holds `link` as its member `member`. */
#define list_of(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* The body may remove `at` from the list. */
#define list_each(at, after, head)                                                                 \
	for (struct list *at = (head)->next, *after = at->next; at != (head);                      \
	     at = after, after = at->next)

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_append(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

/* Removing twice is harmless: a removed link points at itself. */
static inline void list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

#endif
