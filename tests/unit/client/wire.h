/* wire: a connection under test, fed with lines of a gateway. */
#ifndef TESTS_CLIENT_WIRE_H
#define TESTS_CLIENT_WIRE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gatepost/policy.h>

#define WIRE_HELLO                                                                                 \
	"{\"type\":\"hello\",\"protocol\":\"gatepost-policy\",\"versions\":[1],\"gateway\":"       \
	"{\"name\":\"a\",\"epoch\":\"b\"},\"hooks\":[],\"context\":[],\"body\":[],\"limits\":{},"  \
	"\"ping_ms\":1}\n"
/* `more` are members of ready, each with a comma before it. */
#define WIRE_READY(more)                                                                           \
	"{\"type\":\"ready\",\"version\":1,\"policy\":\"p\",\"missing\":[],\"window\":4,"          \
	"\"body\":[]" more "}\n"
/* Of a request, all texts of string literals but id. */
#define WIRE_ASK(id, hook, args, more)                                                             \
	"{\"type\":\"request\",\"id\":" #id ",\"key\":\"k\",\"attempt\":1,\"hook\":\"" hook "\","  \
	"\"session\":\"s\",\"transaction\":\"t\",\"deadline_ms\":1,\"args\":" args more "}\n"
#define WIRE_CONTEXT ",\"context\":{}"

static inline bool wire_feed(struct gatepost_policy *policy, const char *text)
{
	return gatepost_policy_feed(policy, text, strlen(text));
}

static inline struct gatepost_policy *wire_new(const struct gatepost_policy_options *options)
{
	struct gatepost_error error;
	struct gatepost_policy *policy = gatepost_policy_new(options, &error);

	if (!policy)
		fail_msg("%s", error.message);
	return policy;
}

static inline void wire_drop_out(struct gatepost_policy *policy)
{
	const char *data;

	gatepost_policy_sent(policy, gatepost_policy_out(policy, &data));
}

static inline void wire_expect(struct gatepost_policy *policy, const char *expected)
{
	const char *data;
	size_t len = gatepost_policy_out(policy, &data);

	if (len != strlen(expected) || memcmp(data, expected, len) != 0)
		fail_msg("it sends %.*s", (int)len, data);
	wire_drop_out(policy);
}

#endif
