/* A policy service that is asked at every hook but auth, and objects to nothing: for measurements.
 *
 *      accept_all SOCKET */
#include <stdio.h>

#include <gatepost/serve.h>

static struct gatepost_verdict decide(struct gatepost_request *request, void *arg)
{
	(void)request;
	(void)arg;
	return gatepost_accept();
}

int main(int argc, char **argv)
{
	const struct gatepost_policy_options options = {
		.service = "accept_all",
		/* An accept at auth would let anybody in. */
		.hooks = ((1u << GATEPOST_HOOK_MAX) - 1) & ~(1u << GATEPOST_HOOK_AUTH),
		.window = 256,
	};
	struct gatepost_error error;

	if (argc != 2) {
		fprintf(stderr, "usage: accept_all SOCKET\n");
		return 64;
	}
	if (gatepost_policy_serve(argv[1], &options, decide, NULL, &error))
		return 0;
	fprintf(stderr, "accept_all: %s\n", error.message);
	return 1;
}
