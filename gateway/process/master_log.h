/* master_log: the log's file, opened by the master and handed to all other processes, whose account
 * may not be allowed to. */
#ifndef PROCESS_MASTER_LOG_H
#define PROCESS_MASTER_LOG_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct master;

/* Opens the file that the configuration names. False with a reason in `error`. */
bool master_log_open(const struct config *config, char *error, size_t size);
/* What was opened is not used after all; nothing without. */
void master_log_close(void);
/* All processes write there from now on, in the form that the configuration in use wants. */
void master_log_use(struct master *m);
/* SIGUSR1: the file was moved away; begins a new one of its name. */
void master_log_reopen(struct master *m);

#endif
