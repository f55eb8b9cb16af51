/* maildir_inside: what the files of maildir share. */
#ifndef DELIVERY_MAILDIR_INSIDE_H
#define DELIVERY_MAILDIR_INSIDE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* A longer host name would not leave room for the rest of the name in delivery_result.ref. The
 * ident keeps cut names apart. */
#define MAILDIR_HOST_MAX 48

struct maildir {
	char *path;
	bool template;
	size_t root_len; /* of the template; 0: there is none, and parents may be made */
	char *hostname;	 /* whose postmaster it is that has no domain */
	char host[MAILDIR_HOST_MAX + 1];
	atomic_bool ending;
};

#endif
