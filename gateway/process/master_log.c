#include "master_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "master_state.h"
#include "supervise.h"

static int opened = -1;

static void blame(const struct config *config, char *error, size_t size)
{
	const char *hint = "";

	if (errno == ENOENT)
		hint = "; make the directory first";
	else if (errno == EACCES || errno == EROFS)
		hint = "; the account that starts gatepost must be able to write there";
	snprintf(error, size, "%s: %s%s", config->log.file ? config->log.file : "standard error",
		 strerror(errno), hint);
	config_blame(config, "log.file", error, size);
}

bool master_log_open(const struct config *config, char *error, size_t size)
{
	opened = log_open(config->log.file);
	if (opened < 0)
		blame(config, error, size);
	return opened >= 0;
}

void master_log_close(void)
{
	if (opened >= 0)
		close(opened);
	opened = -1;
}

void master_log_use(struct master *m)
{
	const struct config *config = m->runtime.config;

	log_setup(config->log.level, config->log.json, "master");
	log_use(opened);
	opened = -1;
	supervise_tell(m, "log", log_descriptor());
}

void master_log_reopen(struct master *m)
{
	char error[CONFIG_BLAME_SIZE];

	if (!master_log_open(m->runtime.config, error, sizeof error)) {
		log_error("%s; the log goes on in the old file", error);
		return;
	}
	log_info("the log is opened anew");
	master_log_use(m);
	log_info("the log was opened anew");
}
