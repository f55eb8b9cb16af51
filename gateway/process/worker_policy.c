#include "worker_policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "shared/counters.h"

#define SOFTWARE    "gatepost/" GATEPOST_VERSION
#define POLICY_PING 15.0

static void set_up_service(struct policy_service_settings *to, const struct config_policy *from)
{
	*to = (struct policy_service_settings){
		.name = from->name,
		.sockets = (const char *const *)from->sockets.items,
		.sockets_len = from->sockets.len,
		.hooks = from->hooks,
		.timeout = from->timeout,
		.timeout_max = from->timeout_max,
		.shadow = from->mode == CONFIG_MODE_SHADOW,
		.delivers = from->delivers,
		.required = from->required,
		.grants = from->grants,
		.facts = from->facts,
		.uid_set = from->uid.set,
		.uid = from->uid.uid,
	};
	memcpy(to->actions, from->actions, sizeof to->actions);
}

void worker_policy_init(struct worker_policy *p, const struct config *config, unsigned worker)
{
	ident_make(p->epoch);
	p->services = mem_new(config->policies_len * sizeof *p->services);
	for (size_t i = 0; i < config->policies_len; i++)
		set_up_service(&p->services[i], &config->policies[i]);
	p->settings = (struct policy_settings){
		.services = p->services,
		.services_len = config->policies_len,
		.gateway = {.name = config->hostname,
			    .worker = worker,
			    .epoch = p->epoch,
			    .software = SOFTWARE},
		.message_size = config->limits.message_size,
		.spool_dir = config->spool_dir,
		.ping = POLICY_PING,
	};
}

void worker_policy_count(struct worker_policy *p, struct counters *counters,
			 struct counters_slot *slot)
{
	for (size_t i = 0; i < p->settings.services_len; i++) {
		unsigned row = counters_policy_row(counters, p->services[i].name);

		p->services[i].counters = &slot->policies[row];
	}
}

void worker_policy_fini(struct worker_policy *p)
{
	free(p->services);
	p->services = NULL;
}
