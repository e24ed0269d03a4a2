/*
 * A JSON writer to the standard output: no allocation, and none of stdio's printf, which would weigh more than a small
 * network. Commas are placed by the writer.
 */
#ifndef EDGEPRUNE_BENCH_JSON_H
#define EDGEPRUNE_BENCH_JSON_H

#include <stdint.h>

void json_key(const char *key);
void json_open(char bracket);
void json_close(char bracket);
void json_text(const char *text); /* null for NULL; what is not printable ASCII becomes '?' */
void json_bool(int value);
void json_unsigned(uint64_t value);
void json_real(double value);       /* D.DDDDDDeX; null for what is negative or not finite */
void json_literal(const char *text); /* as it is: a number that was read as text, or null */

/* Ends the document with a new line; returns 0, or -1 if any of it could not be written. */
int json_end(void);

#endif
