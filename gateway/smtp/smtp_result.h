/* smtp_result: what a delivery says, kept until it is the reply. */
#ifndef SMTP_SMTP_RESULT_H
#define SMTP_SMTP_RESULT_H

#define SMTP_STATUS_MAX 12 /* "5.999.999" and its NUL, as VERDICT_STATUS_MAX but for any caller */

struct smtp_result {
	int code; /* 0: none */
	char status[SMTP_STATUS_MAX];
	char *text;
};

/* Copies. A status that is not of the code's class becomes X.0.0. A 421 becomes 451: it ends the
 * session of whoever said it, not that of our client. Any class but 2, 4 and 5 is the caller's bug.
 */
void smtp_result_set(struct smtp_result *result, int code, const char *status, const char *text);
void smtp_result_fini(struct smtp_result *result);

#endif
