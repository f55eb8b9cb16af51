#include "player_verdict.h"

void player_verdict_give(struct smtp *smtp, const struct verdict *verdict)
{
	static char text[] = "Temporary policy failure, try again later (0123456789ABCDEF)";
	static const struct verdict failed = {
		.kind = VERDICT_TEMPFAIL, .code = 451, .status = "4.3.0", .text = text};
	char problem[256];

	if (verdict->edits_len > 0 &&
	    smtp_edit(smtp, verdict->edits, verdict->edits_len, problem, sizeof(problem)) != NULL)
		verdict = &failed;
	smtp_verdict(smtp, verdict);
}

void player_verdict_give_none(struct smtp *smtp)
{
	struct verdict verdict = {.kind = VERDICT_ACCEPT};

	/* Nobody logs in without a service's word. */
	if (smtp_hook(smtp) == HOOK_AUTH)
		verdict.kind = VERDICT_TEMPFAIL;
	smtp_verdict(smtp, &verdict);
}
