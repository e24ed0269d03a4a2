/* The board's own account of itself, as JSON. Whatever a board does not tell is written as null. */
#ifndef EDGEPRUNE_BENCH_ENVIRONMENT_H
#define EDGEPRUNE_BENCH_ENVIRONMENT_H

/* What the board is: kernel, name, CPU. */
void write_identity(void);

/* Under `key`, what may change while the benchmark runs; written before and after the timed part. */
void write_moment(const char *key);

#endif
