/* The golden check: the network computes here what it should, or nothing else is done. */
#ifndef EDGEPRUNE_BENCH_GOLDEN_H
#define EDGEPRUNE_BENCH_GOLDEN_H

/* Returns EXIT_DONE, EXIT_MISMATCH, or EXIT_MODEL after a complaint. */
int check_golden(void);

/* Writes the key "check". */
void write_check(void);

#endif
