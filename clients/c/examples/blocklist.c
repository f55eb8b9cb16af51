/* A policy service: refuses listed senders, and recipients that do not exist.
 *
 *      blocklist SOCKET BLOCKED-SENDER [RECIPIENT...]
 *
 * Without recipients all exist. Postmaster always does. */
#include <stdio.h>
#include <string.h>

#include <gatepost/serve.h>

static bool has(char **list, const char *mailbox)
{
	for (; *list; list++)
		if (!strcmp(*list, mailbox))
			return true;
	return false;
}

static struct gatepost_verdict decide(struct gatepost_request *request, void *arg)
{
	char **names = arg; /* the blocked sender, then the recipients */
	const char *mailbox = gatepost_request_mailbox(request);

	if (gatepost_request_hook(request) == GATEPOST_HOOK_MAIL)
		return strcmp(mailbox, names[0])
			       ? gatepost_accept()
			       : gatepost_reject("Sender is blocked", 550, "5.7.1");
	/* RFC 5321 4.5.1: postmaster is always reachable. */
	if (!names[1] || has(names + 1, mailbox) || !strncmp(mailbox, "postmaster@", 11) ||
	    !strcmp(mailbox, "postmaster"))
		return gatepost_accept();
	return gatepost_reject("No such mailbox", 550, "5.1.1");
}

static void print(void *arg, const char *message)
{
	(void)arg;
	fprintf(stderr, "blocklist: %s\n", message);
}

int main(int argc, char **argv)
{
	const struct gatepost_policy_options options = {
		.service = "blocklist",
		.hooks = 1u << GATEPOST_HOOK_MAIL | 1u << GATEPOST_HOOK_RCPT,
		.window = 256,
		.log = print,
	};
	struct gatepost_error error;

	if (argc < 3) {
		fprintf(stderr, "usage: blocklist SOCKET BLOCKED-SENDER [RECIPIENT...]\n");
		return 64;
	}
	if (gatepost_policy_serve(argv[1], &options, decide, argv + 2, &error))
		return 0;
	print(NULL, error.message);
	return 1;
}
