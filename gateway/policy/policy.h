/* policy: asks the policy services of a listener, one after the other, and gives one verdict.
 *
 *      session --policy_ask--> chain --> service --> connection (line_link) --> process
 *         ^                      |  next one while the answers let it pass
 *         `---- on_verdict ------'
 *
 * A service may hang, crash, lie or flood: its own failure policy applies to the questions it has,
 * and nothing else happens. What it answers wrongly never becomes acceptance. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/event.h"
#include "protocol/failure.h"
#include "protocol/handshake.h"
#include "protocol/hook.h"
#include "protocol/verdict.h"

struct counters_policy;
struct policy;

struct policy_service_settings {
	const char *name;
	const char *const *sockets;
	size_t sockets_len;
	unsigned hooks;	    /* 1u << HOOK_x; ~0u: whatever it registers */
	double timeout;	    /* seconds */
	double timeout_max; /* the same with all that progress adds; not above timeout: none */
	/* What a failed question means, by hook and class: accept, quarantine, tempfail, reject or
	 * disconnect. */
	enum verdict_kind actions[HOOK_MAX][FAILURE_CHOICES];
	bool shadow;	 /* asked, never waited for, its verdicts only reported */
	bool delivers;	 /* what it accepts at message is its own: see policy_ask() */
	bool required;	 /* see policy_missing() */
	unsigned grants; /* 1u << HANDSHAKE_GRANT_x */
	unsigned facts;	 /* 1u << HOOK_FACT_x: what some listener that asks it can tell */
	bool uid_set;	 /* the process that listens must have this uid, else it is refused */
	uid_t uid;
	struct counters_policy *counters; /* where it is counted; NULL: nowhere */
};

/* Kept by the caller, unchanged, as long as the policy. */
struct policy_settings {
	const struct policy_service_settings *services;
	size_t services_len;
	struct handshake_gateway gateway;
	uint64_t message_size;
	const char *spool_dir;
	double ping; /* seconds of silence before a service is asked for a sign of life */
};

struct policy_callbacks {
	/* policy.* events happen; borrowed. */
	void (*on_event)(void *arg, const struct event *event);
	/* False: the required service `policy` has had no live connection for 10 s; told again when
	 * another one comes back and this one does not. True (`policy` is NULL): every required one
	 * has one, for the first time or again. May be NULL. */
	void (*on_readiness)(void *arg, bool ready, const char *policy);
	void *arg;
};

/* Starts dialling every socket of every service. */
struct policy *policy_new(struct ev_loop *loop, const struct policy_settings *settings,
			  const struct policy_callbacks *callbacks);
/* Open questions must be cancelled. */
void policy_free(struct policy **p);

/* What the services of a chain have said that outlives the question: their standing answers
 * (until), what they keep, their labels. One a session; no question that names it may be open when
 * it is freed.
 *
 * An answer that stands is taken instead of asking its service, at every later hook that the
 * operator allows the service, registered or not, but for auth. It has the code of the reply where
 * that fits the hook; of an accept, bypass or quarantine the kind alone stands. */
struct policy_memory;

/* `chain` as in struct policy_ask. */
struct policy_memory *policy_memory_new(const size_t *chain, size_t chain_len);
/* The transaction is over: what was said for it is forgotten. Asking at mail does it too: a MAIL
 * that was refused has begun nothing. */
void policy_memory_end_transaction(struct policy_memory *memory);
/* STARTTLS: what the client said in clear counts no more (RFC 3207 section 4.2). Answers that stand
 * are forgotten, but for those given at connect; what services keep is theirs, and stays. */
void policy_memory_secure(struct policy_memory *memory);
/* XCLIENT: the session is another client's. Everything is forgotten. */
void policy_memory_clear(struct policy_memory *memory);
/* Words with a space between them; NULL when there are none. Valid until the next answer. */
const char *policy_memory_labels(const struct policy_memory *memory);
void policy_memory_free(struct policy_memory **memory);

struct policy_ask {
	const size_t *chain; /* places in settings.services, in order; as unchanged as request */
	size_t chain_len;
	/* Unchanged until the verdict or policy_cancel(), but by `edit`. context.labels is not
	 * looked at when there is a memory: each service is told those of all before it. */
	const struct hook_request *request;
	/* Makes request->message->path; false when the disk does not allow it. Called only at the
	 * message hook, only when a service wants the path and there is none. NULL: no paths. */
	bool (*make_path)(void *arg);
	/* The same content as a read-only descriptor of its own, at its start, which the caller of
	 * this function closes; -1 when the disk does not allow it. NULL: no descriptors. */
	int (*open_body)(void *arg);
	/* Makes the verdict's edits in the message and the envelope, all or none, and brings
	 * `request` up to date with them. NULL, or why they cannot be made, for the service's
	 * author (printable ASCII, in `problem`). Called only for a verdict that has edits, from
	 * the loop; it must not call the policy. NULL: no edits are possible. */
	const char *(*edit)(void *arg, const struct verdict *verdict, char *problem, size_t size);
	struct policy_memory *memory; /* NULL: nothing outlives the question */
	double budget; /* seconds that the whole chain may take, then it is a tempfail; 0: any */
	/* Once, from the loop, never inside policy_ask(). `by` is the service that decided, NULL
	 * when all accepted without code or text of their own; the verdict is the callee's to copy
	 * (freed after). It has a kind (never bypass), code, status, text, reason, and the ref
	 * of a service that delivers; all else is done. */
	void (*on_verdict)(void *arg, const struct verdict *verdict, const char *by);
	void *arg;
};

/* Which services are asked: those whose configured hooks and whose registration both have the hook.
 * What a service registered last goes on counting while it is down (of several sockets: all of
 * theirs together). Of a service never seen since the start nothing is known: it counts as
 * registered for every hook it is configured for, all of them when none is named, so that a service
 * that does not start lets nothing through unchecked. A hook that no socket of a live service ever
 * registered is skipped.
 *
 * How the answers combine: the verdict is the most severe one. From discard on it ends the chain; a
 * bypass is an accept that ends it too. Accept and quarantine go on, and have the words of the last
 * service that had some.
 *
 * A service in shadow mode is asked when the chain comes to it, and nothing is waited for: its
 * verdict, or its failure, is an event. It works on after the question, and after policy_cancel().
 *
 * A service that delivers answers for the message: at message its accept, bypass and quarantine
 * need a ref, and nothing stands for its word. It is asked there whatever it registered, after a
 * bypass too, never by an answer that stands; and its failure is a tempfail whatever its actions
 * say. At other hooks a bypass does not skip it either. The ref of any other service is dropped.
 *
 * Asks. True: no service is asked at this hook, *verdict is an accept and *question 0. False:
 * on_verdict comes later; *question names the question for policy_cancel(). A failed question (no
 * live connection, queue full, half of its time spent in the queue, deadline, connection lost, bad
 * reply) takes the action that the service's settings have for its hook and class, except that bad
 * replies always tempfail: tempfail is 451 4.3.0 (421 4.3.0 at connect, 454 4.3.0 at starttls and
 * auth) "Temporary policy failure, try again later" with the transaction id (or the session id
 * where there is none). The actions accept and quarantine ask the next service; at auth they are
 * tempfail, since there nobody's word is not enough. A question whose connection was lost is asked
 * once more, under the same key, on another or the next connection of the service, when at least
 * half of its time is left; it has failed when that fails too. A service that keeps failing is not
 * asked for a while (unavailable). Questions wait for the successor of a service that has drained
 * its connection. A request that cannot be written always tempfails too, with 452 4.3.1 when
 * make_path or open_body failed; and so does a chain that has used up its budget. */
bool policy_ask(struct policy *p, const struct policy_ask *ask, struct verdict *verdict,
		uint64_t *question);
/* The client is gone: services are told (cancel, client_gone), on_verdict does not come. Unknown
 * and 0: nothing. */
void policy_cancel(struct policy *p, uint64_t question);
/* Tells every service of the chain that registered the hook (disconnect), with what it keeps in the
 * memory, if any; nothing is waited for. */
void policy_tell(struct policy *p, const size_t *chain, size_t chain_len,
		 const struct hook_request *request, const struct policy_memory *memory);
/* True when each service has a live, registered connection. */
bool policy_is_connected(const struct policy *p);
/* The name of a required service that has had none yet, or none for 10 s; NULL: all are there. */
const char *policy_missing(const struct policy *p);

#endif
