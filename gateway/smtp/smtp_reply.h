/* smtp_reply: the one door by which replies leave. What it writes are whole reply lines of at most
 * 512 octets (RFC 5321 4.5.3.1.5), whatever the text holds, so nobody can split or forge one. */
#ifndef SMTP_SMTP_REPLY_H
#define SMTP_SMTP_REPLY_H

#include "smtp_engine.h"

/* Each writes one reply and returns SMTP_GOT_REPLY. Lines of `text` are parted by LF. `status` is
 * left out where the RFCs want none. */
enum smtp_step smtp_reply_send(struct smtp *s, int code, const char *status, const char *text);
/* The client's own fault: counted, and beyond the limit answered by 421 and the end. */
enum smtp_step smtp_reply_fault(struct smtp *s, int code, const char *status, const char *text);
/* The refusal of the last verdict, which ends the session when it is a disconnect or a 421. */
enum smtp_step smtp_reply_refusal(struct smtp *s, enum hook hook);
/* The same, with another code. */
enum smtp_step smtp_reply_refusal_as(struct smtp *s, int code, const char *status);
/* The same, for what is also the client's own fault. */
enum smtp_step smtp_reply_refusal_fault(struct smtp *s, enum hook hook);
/* The last verdict's accept, its own code and text before the ones given. */
enum smtp_step smtp_reply_accept(struct smtp *s, enum hook hook, int code, const char *status,
				 const char *text);
/* The last reply of the session, which is over then. */
enum smtp_step smtp_reply_last(struct smtp *s, int code, const char *status, const char *text,
			       enum disconnect_reason reason);
/* The same with the reason's own 421. */
enum smtp_step smtp_reply_closing(struct smtp *s, enum disconnect_reason reason);

/* Writes "334 " and the text, base64. That is no reply: AUTH is answered by what comes in the
 * end. */
void smtp_reply_challenge(struct smtp *s, const char *text);
/* LMTP: says the last reply once more. SMTP_NEED_INPUT when `out` must drain first. */
enum smtp_step smtp_reply_again(struct smtp *s);
/* Forgets the command and the reply that were reported. */
void smtp_reply_forget(struct smtp *s);

#endif
