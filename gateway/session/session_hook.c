/* The questions of a session: from the engine's open hook to the policy, and back. */
#include <stdio.h>
#include <string.h>

#include "delivery/spool.h"
#include "policy/policy.h"
#include "session_state.h"

static void describe_connection(struct session *s, struct hook_context *context)
{
	const struct tls *tls = s->transport ? transport_tls(s->transport) : NULL;
	const char *sni;

	context->client.ip = s->client_ip[0] ? s->client_ip : NULL;
	context->client.port = s->client_port;
	context->listener_name = s->listener->name;
	context->listener.ip = s->listener_ip[0] ? s->listener_ip : NULL;
	context->listener.port = s->listener_port;
	if (!tls || !smtp_is_secure(s->smtp))
		return;
	sni = tls_sni(tls);
	s->tls_facts = (struct hook_tls){
		.version = tls_version(tls),
		.cipher = tls_cipher(tls),
		.bits = tls_bits(tls),
		.sni = {sni, sni ? strlen(sni) : 0},
	};
	context->tls = &s->tls_facts;
}

static void describe_message(struct session *s)
{
	struct spool_message *message = session_message(s);
	struct hook_message *facts = &s->message_facts;
	size_t len;

	*facts = (struct hook_message){.size = spool_message_size(message)};
	facts->data = spool_message_data(message, &len);
	facts->headers = spool_message_headers(message, &facts->headers_len, &facts->headers_full);
	s->request.message = facts;
}

void session_describe(struct session *s, enum hook hook)
{
	memset(&s->request, 0, sizeof s->request);
	smtp_describe(s->smtp, &s->request);
	s->request.hook = hook;
	s->request.session = s->id;
	s->request.transaction = session_transaction(s);
	describe_connection(s, &s->request.context);
	if (hook == HOOK_MESSAGE)
		describe_message(s);
}

static bool make_path(void *arg)
{
	struct session *s = arg;

	s->message_facts.path = spool_message_file(s->message);
	return s->message_facts.path != NULL;
}

static void take_verdict(struct session *s, const struct verdict *verdict, const char *by)
{
	s->question = 0;
	snprintf(s->by, sizeof s->by, "%s", by ? by : "");
	smtp_verdict(s->smtp, verdict);
}

static void on_verdict(void *arg, const struct verdict *verdict, const char *by)
{
	struct session *s = arg;

	take_verdict(s, verdict, by);
	session_advance(s);
}

bool session_ask(struct session *s)
{
	enum hook hook = smtp_hook(s->smtp);
	struct verdict verdict = {.kind = VERDICT_ACCEPT};
	struct policy_ask ask = {
		.chain = s->listener->policies,
		.chain_len = s->listener->policies_len,
		.request = &s->request,
		.make_path = make_path,
		.on_verdict = on_verdict,
		.arg = s,
	};

	if (hook == HOOK_MAIL)
		ident_make(s->transaction);
	session_describe(s, hook);
	if (!policy_ask(s->host->policy, &ask, &verdict, &s->question))
		return false;
	take_verdict(s, &verdict, NULL);
	verdict_fini(&verdict);
	return true;
}
