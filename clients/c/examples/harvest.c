/* A policy service against clients that try out addresses: an unknown recipient is refused, and the
 * third one in a session ends it. Services after this one see the label "guesses".
 *
 *      harvest SOCKET RECIPIENT...
 *
 * The count is kept with the gateway, and comes back with each request of the session. So it does
 * not matter which process of this service is asked, and none of them has anything to clean up. */
#include <stdio.h>
#include <string.h>

#include <gatepost/serve.h>

#define GUESSES_MAX 3

static bool has(char **list, const char *mailbox)
{
	for (; *list; list++)
		if (!strcmp(*list, mailbox))
			return true;
	return false;
}

static struct gatepost_verdict decide(struct gatepost_request *request, void *arg)
{
	static const char *const labels[] = {"guesses", NULL};
	struct gatepost_verdict verdict = gatepost_reject("No such mailbox", 550, "5.1.1");
	int64_t guesses = 0;

	if (has(arg, gatepost_request_mailbox(request)))
		return gatepost_accept();
	gatepost_request_integer(request, "keep.session.guesses", &guesses);
	if (guesses + 1 >= GUESSES_MAX)
		verdict = gatepost_disconnect("Too many unknown recipients", 421, "4.7.0");
	verdict.reason = "unknown_recipient";
	verdict.labels = labels;
	verdict.keep_session =
		gatepost_request_format(request, "{\"guesses\":%lld}", (long long)guesses + 1);
	return verdict;
}

static void print(void *arg, const char *message)
{
	(void)arg;
	fprintf(stderr, "harvest: %s\n", message);
}

int main(int argc, char **argv)
{
	const struct gatepost_policy_options options = {
		.service = "harvest", .hooks = 1u << GATEPOST_HOOK_RCPT, .log = print};
	struct gatepost_error error;

	if (argc < 3) {
		fprintf(stderr, "usage: harvest SOCKET RECIPIENT...\n");
		return 64;
	}
	if (gatepost_policy_serve(argv[1], &options, decide, argv + 2, &error))
		return 0;
	print(NULL, error.message);
	return 1;
}
