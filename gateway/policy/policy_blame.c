#include "policy_blame.h"

#include "base/log.h"
#include "policy_count.h"
#include "policy_report.h"

void policy_blame_unknown_type(struct policy_dial *dial, const char *message)
{
	if (!dial->unknown++)
		log_warning("policy %s: ignored: %s", dial->service->name, message);
	policy_count_unknown(dial->service);
}

/* Tells whoever reads events, and the author. */
static void blame(struct policy_dial *dial, const struct policy_call *call, uint64_t id,
		  const char *code, const char *message)
{
	policy_report_bad_reply(dial->callbacks, dial->service->name,
				call ? call->ask->request : NULL, code, message);
	handshake_error(&dial->out, false, id, code, message);
	/* An author who does not read does not get it; we do not wait for him. */
	policy_dial_send(dial);
}

void policy_blame_unknown_id(struct policy_dial *dial, uint64_t id)
{
	dial->unknown++;
	policy_count_unknown(dial->service);
	blame(dial, NULL, id, "unknown_id", "no request with this id is open");
}

void policy_blame_bad(struct policy_dial *dial, const struct policy_call *call, uint64_t id,
		      const struct verdict_json_error *error)
{
	if (!dial->bad++)
		log_warning("policy %s: %s: %s", dial->service->name, error->code, error->message);
	policy_count_bad(dial->service);
	blame(dial, call, id, error->code, error->message);
}

void policy_blame_broken(struct policy_dial *dial, const struct verdict_json_error *error)
{
	dial->bad++;
	policy_count_bad(dial->service);
	policy_report_bad_reply(dial->callbacks, dial->service->name, NULL, error->code,
				error->message);
	policy_dial_break(dial, error->code, error->message);
}

void policy_blame_late(struct policy_dial *dial)
{
	dial->late++;
	policy_count_late(dial->service);
}
