/* XCLIENT: a trusted peer, a proxy, says for whom it speaks. From then on the session is that
 * client's: all that was learned of another one is forgotten. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp_engine.h"
#include "smtp_reply.h"
#include "smtp_xclient.h"

enum smtp_step smtp_client_xclient(struct smtp *s, struct octets argument)
{
	struct smtp_xclient said = {0};

	/* Whoever may say XCLIENT may be any client he likes, so this comes before all else. */
	if (!s->xclient_allowed)
		return smtp_reply_fault(s, 550, "5.7.0", "XCLIENT is not for you");
	if (smtp_transaction_is_open(&s->transaction))
		return smtp_reply_fault(s, 503, "5.5.1", "Mail transaction in progress");
	if (s->xclient)
		said = *s->xclient;
	if (!smtp_xclient_parse(argument.data, argument.len, &said))
		return smtp_reply_fault(s, 501, "5.5.4", "Bad attributes");
	if (!s->xclient)
		s->xclient = mem_new(sizeof *s->xclient);
	*s->xclient = said;
	s->wait = SMTP_WAIT_CLIENT;
	s->answered = false;
	return SMTP_NEED_CLIENT;
}

/* The services know the name already at the connect hook; EHLO, said again, may say another one. */
static struct smtp_helo *make_helo(const struct smtp_xclient *x)
{
	size_t len = strlen(x->helo);
	struct smtp_helo *helo;

	if (!len)
		return NULL;
	helo = mem_new(sizeof *helo + len);
	memcpy(helo->name, x->helo, len);
	helo->facts.verb = strcmp(x->proto, "SMTP") == 0 ? "HELO" : "EHLO";
	helo->facts.name = (struct octets){helo->name, len};
	return helo;
}

enum smtp_step smtp_client_on_changed(struct smtp *s)
{
	s->wait = SMTP_WAIT_NOTHING;
	free(s->helo);
	s->helo = make_helo(s->xclient);
	s->helo_said = false;
	smtp_auth_fini(&s->auth);
	s->authenticated = s->xclient->login[0] != '\0';
	if (s->authenticated)
		smtp_auth_set(&s->auth, "XCLIENT", s->xclient->login);
	s->greeted = false;
	s->phase = SMTP_PHASE_GREETING;
	return smtp_advance(s);
}
