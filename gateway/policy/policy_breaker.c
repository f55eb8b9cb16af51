#include "policy_breaker.h"

#include <string.h>

#define BREAKER_QUESTIONS_MIN 20
#define BREAKER_PAUSE_MIN     5.0
#define BREAKER_PAUSE_MAX     60.0

static void open_it(struct policy_breaker *b, double now)
{
	b->pause = b->pause > 0 ? b->pause * 2 : BREAKER_PAUSE_MIN;
	if (b->pause > BREAKER_PAUSE_MAX)
		b->pause = BREAKER_PAUSE_MAX;
	b->until = now + b->pause;
	b->state = BREAKER_OPEN;
}

void policy_breaker_try(struct policy_breaker *b)
{
	if (b->state != BREAKER_OPEN)
		return;
	b->state = BREAKER_HALF_OPEN;
	b->round++;
	b->probes = b->answered = 0;
}

bool policy_breaker_admit(struct policy_breaker *b, double now, unsigned *probe)
{
	*probe = 0;
	if (b->state == BREAKER_OPEN && now >= b->until)
		policy_breaker_try(b);
	if (b->state == BREAKER_CLOSED)
		return true;
	if (b->state == BREAKER_OPEN || b->probes == POLICY_BREAKER_PROBES)
		return false;
	b->probes++;
	*probe = b->round;
	return true;
}

/* Seconds that are over are reused, so what is older than the window is not in the sum. */
static void count(struct policy_breaker *b, double now, bool failed)
{
	long second = (long)now;
	struct policy_breaker_second *at = &b->seconds[second % POLICY_BREAKER_SECONDS];
	unsigned questions = 0, failures = 0;

	if (at->second != second)
		*at = (struct policy_breaker_second){.second = second};
	at->questions++;
	at->failures += failed;
	for (int i = 0; i < POLICY_BREAKER_SECONDS; i++) {
		if (b->seconds[i].second <= second - POLICY_BREAKER_SECONDS)
			continue;
		questions += b->seconds[i].questions;
		failures += b->seconds[i].failures;
	}
	if (failed && questions >= BREAKER_QUESTIONS_MIN && failures * 2 >= questions)
		open_it(b, now);
}

void policy_breaker_take(struct policy_breaker *b, double now, unsigned probe, bool failed)
{
	if (b->state == BREAKER_CLOSED) {
		count(b, now, failed);
		return;
	}
	/* Asked before: the reason why it was opened, and no news. */
	if (b->state == BREAKER_OPEN || probe != b->round)
		return;
	if (failed) {
		open_it(b, now);
	} else if (++b->answered == POLICY_BREAKER_PROBES) {
		b->state = BREAKER_CLOSED;
		b->pause = 0;
		memset(b->seconds, 0, sizeof b->seconds);
	}
}

void policy_breaker_forget(struct policy_breaker *b, unsigned probe)
{
	/* Else three clients that left would keep it half open for good. */
	if (b->state == BREAKER_HALF_OPEN && probe == b->round)
		b->probes--;
}

const char *policy_breaker_word(enum policy_breaker_state state)
{
	static const char *const words[] = {"closed", "open", "half_open"};

	return words[state];
}
