/* smtp_dsn: the values of the parameters of delivery status notifications (RFC 3461, RFC 6533).
 *
 * They are checked and shown to the services, no more. To list DSN in EHLO is to promise more: RFC
 * 3461 section 5.2 obliges a server that delivers to a mailbox to send a "delivered" notification
 * wherever NOTIFY=SUCCESS was asked for, and one that passes on to pass the parameters on or to
 * send a "relayed" one. Nothing behind this engine sends notifications yet, so the setting `dsn` is
 * off by default, and the parameters are refused as those of any extension that is not offered. */
#ifndef SMTP_SMTP_DSN_H
#define SMTP_SMTP_DSN_H

#include <stdbool.h>

#include "protocol/hook.h"

/* MAIL: FULL or HDRS. */
bool smtp_dsn_ret(struct octets value);
/* MAIL: xtext of printable text, at most 100 octets as sent. */
bool smtp_dsn_envid(struct octets value);
/* RCPT: NEVER, or any of SUCCESS, FAILURE and DELAY with commas between. */
bool smtp_dsn_notify(struct octets value);
/* RCPT: a type of address, a semicolon, the address; at most 500 octets as sent. Octets above 127,
 * which the caller knows to be UTF-8, may stand in an address of the type utf-8. */
bool smtp_dsn_orcpt(struct octets value);

#endif
