/* smtp_offer: what a client may make use of. The engine can do it all; what the delivery cannot
 * take is not offered, and unknown when it is used. */
#ifndef SMTP_SMTP_OFFER_H
#define SMTP_SMTP_OFFER_H

#include "smtp_engine.h"

bool smtp_offers_eight_bit(const struct smtp *s);
bool smtp_offers_smtputf8(const struct smtp *s);
bool smtp_offers_dsn(const struct smtp *s);
bool smtp_offers_chunking(const struct smtp *s);
bool smtp_offers_binary(const struct smtp *s);
bool smtp_offers_requiretls(const struct smtp *s);
/* Octets of a message. */
uint64_t smtp_offers_size(const struct smtp *s);
/* Recipients of a message. */
unsigned smtp_offers_recipients(const struct smtp *s);

#endif
