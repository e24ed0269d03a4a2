/* Records from a file through the network into a file. */
#ifndef EDGEPRUNE_BENCH_RECORDS_H
#define EDGEPRUNE_BENCH_RECORDS_H

#include <stdint.h>

/* Does what --input and --output ask, and counts the records; returns EXIT_DONE, or complains. */
int run_file(uint64_t *records);

#endif
