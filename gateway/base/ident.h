/* ident: names for sessions, transactions and epochs.
 *
 * 20 characters of Crockford base 32, sortable by time:
 *
 *      TTTTTTTTTT PPPPP CCCCC       ms since 1970 | random per process | counter
 *
 * A process makes 33 million different ones in a millisecond before one repeats; the random part
 * keeps the workers of one machine, and machines behind one load balancer, apart. */
#ifndef BASE_IDENT_H
#define BASE_IDENT_H

#define IDENT_ALPHABET "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#define IDENT_SIZE     21 /* with the NUL */

/* After each fork(): draws the process's own random part. */
void ident_seed(void);
void ident_make(char out[IDENT_SIZE]);

#endif
