/* The questions of a session: from the engine's open hook to the policy, and back. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "delivery/spool.h"
#include "net/proxy_header.h"
#include "policy/policy.h"
#include "session_state.h"

/* Seconds before wrong credentials are answered, for each time they were wrong. */
#define SESSION_PAUSE	  1.0
#define SESSION_PAUSE_MAX 10.0

static void describe_peer(struct session *s, const struct tls_peer *peer)
{
	if (!peer)
		return;
	s->asked->peer_facts = (struct hook_tls_peer){
		.verified = peer->verified,
		.subject = peer->subject,
		.issuer = peer->issuer,
		.fingerprint = peer->fingerprint,
	};
	s->asked->tls_facts.peer = &s->asked->peer_facts;
}

static struct octets text_octets(const char *text)
{
	return text[0] ? (struct octets){text, strlen(text)} : (struct octets){0};
}

static void describe_proxy(struct session *s, struct hook_context *context)
{
	const struct proxy_header *header = s->proxy;
	struct address peer;

	if (!header)
		return;
	address_of_end(&s->peer, &peer);
	address_ip(&peer, s->asked->proxy_ip);
	s->asked->proxy_facts = (struct hook_proxy){
		.endpoint = {s->asked->proxy_ip, address_port(&peer)},
		.authority = text_octets(header->authority),
		.alpn = text_octets(header->alpn),
		.tls = header->ssl,
		.verified = header->ssl_verified,
		.version = text_octets(header->ssl_version),
		.cipher = text_octets(header->ssl_cipher),
		.common_name = text_octets(header->ssl_common_name),
	};
	if (header->unique_id_len)
		s->asked->proxy_facts.unique_id =
			(struct octets){(const char *)header->unique_id, header->unique_id_len};
	context->proxy = &s->asked->proxy_facts;
}

static void describe_connection(struct session *s, struct hook_context *context)
{
	const struct tls *tls = s->transport ? transport_tls(s->transport) : NULL;
	const char *sni;

	context->client.ip = s->client_ip[0] ? s->client_ip : NULL;
	context->client.port = s->client_port;
	context->client_name = s->client_name;
	context->client_name_verified = s->client_name_verified;
	describe_proxy(s, context);
	context->listener_name = s->listener->name;
	context->listener.ip = s->listener_ip[0] ? s->listener_ip : NULL;
	context->listener.port = s->listener_port;
	if (!tls || !smtp_is_secure(s->smtp))
		return;
	sni = tls_sni(tls);
	s->asked->tls_facts = (struct hook_tls){
		.version = tls_version(tls),
		.cipher = tls_cipher(tls),
		.bits = tls_bits(tls),
		.sni = {sni, sni ? strlen(sni) : 0},
	};
	context->tls = &s->asked->tls_facts;
	describe_peer(s, tls_peer(tls));
}

static void describe_message(struct session *s)
{
	struct spool_message *message = session_message(s);
	struct hook_message *facts = &s->asked->message_facts;
	size_t len;

	*facts = (struct hook_message){.size = spool_message_size(message),
				       .quarantine = s->quarantine || s->quarantine_all};
	facts->data = spool_message_data(message, &len);
	facts->headers = spool_message_headers(message, &facts->headers_len, &facts->headers_full);
	s->asked->request.message = facts;
}

void session_describe(struct session *s, enum hook hook)
{
	if (!s->asked)
		s->asked = mem_new(sizeof *s->asked);
	memset(&s->asked->request, 0, sizeof s->asked->request);
	smtp_describe(s->smtp, &s->asked->request);
	s->asked->request.hook = hook;
	s->asked->request.session = s->id;
	s->asked->request.transaction = session_transaction(s);
	describe_connection(s, &s->asked->request.context);
	if (s->memory)
		s->asked->request.context.labels = policy_memory_labels(s->memory);
	if (hook == HOOK_MESSAGE)
		describe_message(s);
}

static bool make_path(void *arg)
{
	struct session *s = arg;

	s->asked->message_facts.path = spool_message_file(s->message);
	return s->asked->message_facts.path != NULL;
}

static int open_body(void *arg)
{
	struct session *s = arg;

	return spool_message_open(s->message);
}

/* Before there is a transaction it is the client that is not trusted: all that it sends is held. */
static void hold(struct session *s)
{
	if (s->asked->request.hook >= HOOK_MAIL)
		s->quarantine = true;
	else
		s->quarantine_all = true;
}

static void take_verdict(struct session *s, const struct verdict *verdict, const char *by)
{
	struct verdict taken = *verdict; /* what is in it stays the caller's */

	s->question = 0;
	/* Of this question alone: what was said of another message is true of that one. */
	text_copy(s->asked->ref, sizeof s->asked->ref, verdict->ref);
	text_copy(s->asked->by, sizeof s->asked->by, by ? by : "");
	if (taken.kind == VERDICT_QUARANTINE) {
		hold(s);
		taken.kind = VERDICT_ACCEPT; /* the client is not to know */
	}
	smtp_verdict(s->smtp, &taken);
}

/* Guessing passwords must be slow. What is held back is the verdict and not the reply: so neither
 * the reply nor anything that was pipelined behind it gets through earlier. */
static void hold_back(struct session *s, const struct verdict *verdict, const char *by)
{
	double seconds = SESSION_PAUSE * ++s->auth_failures;

	s->question = 0;
	text_copy(s->asked->by, sizeof s->asked->by, by ? by : "");
	s->late = mem_new(sizeof *s->late);
	s->late->kind = verdict->kind;
	s->late->code = verdict->code;
	memcpy(s->late->status, verdict->status, sizeof s->late->status);
	s->late->text = mem_copy_string(verdict->text);
	session_wait_for(s, SESSION_WAIT_PAUSE);
	transport_set_timeout(s->transport,
			      seconds < SESSION_PAUSE_MAX ? seconds : SESSION_PAUSE_MAX);
}

void session_hook_forget_late(struct session *s)
{
	if (s->late)
		verdict_fini(s->late);
	free(s->late);
	s->late = NULL;
}

void session_hook_after_pause(struct session *s)
{
	smtp_verdict(s->smtp, s->late);
	session_hook_forget_late(s);
	session_advance(s);
}

static void on_verdict(void *arg, const struct verdict *verdict, const char *by)
{
	struct session *s = arg;

	if (s->asked->request.hook == HOOK_AUTH && verdict->kind == VERDICT_REJECT) {
		hold_back(s, verdict, by);
		return;
	}
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
		.make_path = make_path,
		.open_body = open_body,
		.edit = session_edit,
		.budget = hook == HOOK_MESSAGE ? s->host->message_time : 0,
		.on_verdict = on_verdict,
		.arg = s,
	};

	if (hook == HOOK_MAIL)
		ident_make(s->transaction);
	if (!s->memory)
		s->memory = policy_memory_new(s->listener->policies, s->listener->policies_len);
	ask.memory = s->memory;
	session_describe(s, hook);
	ask.request = &s->asked->request;
	if (s->health_check) {
		/* No service has seen this session, so no mail comes of it, and no login. */
		if (hook == HOOK_MAIL || hook == HOOK_AUTH)
			verdict.kind = VERDICT_TEMPFAIL;
		take_verdict(s, &verdict, NULL);
		return true;
	}
	if (!policy_ask(s->host->policy, &ask, &verdict, &s->question))
		return false;
	/* At other hooks nobody's objection is consent. Here it would let anybody in. */
	if (hook == HOOK_AUTH)
		verdict.kind = VERDICT_TEMPFAIL;
	take_verdict(s, &verdict, NULL);
	verdict_fini(&verdict);
	return true;
}
