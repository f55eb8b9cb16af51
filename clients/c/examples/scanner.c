/* A policy service that looks into messages: one that has the pattern in it is held, and each other
 * one is marked as looked at.
 *
 *      scanner SOCKET PATTERN
 *
 * The message comes as a descriptor, whatever its size, and is read in pieces. A gateway that
 * cannot send one gives a path. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gatepost/serve.h>

#define PIECE 65536

/* 1: found, 0: not, -1: the file cannot be read. A pattern may lie across two pieces. */
static int search(int fd, const char *pattern)
{
	static char piece[2 * PIECE];
	size_t len = strlen(pattern), kept = 0;
	ssize_t n;

	while ((n = read(fd, piece + kept, PIECE)) > 0) {
		size_t all = kept + (size_t)n;

		if (memmem(piece, all, pattern, len))
			return 1;
		kept = all < len - 1 ? all : len - 1;
		memmove(piece, piece + all - kept, kept);
	}
	return n < 0 ? -1 : 0;
}

static struct gatepost_verdict decide(struct gatepost_request *request, void *arg)
{
	static const struct gatepost_edit marks[] = {
		{.kind = GATEPOST_DELETE_HEADER, .name = "X-Scanned"}, /* those of others */
		{.kind = GATEPOST_ADD_HEADER, .name = "X-Scanned", .value = "yes"}};
	struct gatepost_verdict verdict = gatepost_accept();
	struct gatepost_error error;
	int fd = gatepost_request_open(request, &error), found;

	if (fd < 0)
		return gatepost_fault(); /* what was not looked at is never accepted */
	found = search(fd, arg);
	close(fd);
	if (found < 0)
		return gatepost_fault();
	if (found) {
		verdict = gatepost_quarantine();
		verdict.reason = "pattern";
	}
	verdict.edits = marks;
	verdict.edits_len = 2;
	return verdict;
}

static void print(void *arg, const char *message)
{
	(void)arg;
	fprintf(stderr, "scanner: %s\n", message);
}

int main(int argc, char **argv)
{
	const struct gatepost_policy_options options = {
		.service = "scanner",
		.hooks = 1u << GATEPOST_HOOK_MESSAGE,
		.body = {GATEPOST_BODY_FD, GATEPOST_BODY_PATH},
		.body_len = 2,
		.window = 16,
		.log = print,
	};
	struct gatepost_error error;

	if (argc != 3 || !argv[2][0] || strlen(argv[2]) > PIECE) {
		fprintf(stderr, "usage: scanner SOCKET PATTERN\n");
		return 64;
	}
	if (gatepost_policy_serve(argv[1], &options, decide, argv[2], &error))
		return 0;
	print(NULL, error.message);
	return 1;
}
