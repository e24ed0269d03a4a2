/* How the benchmark executable ends, and what it says on the standard error stream when it ends badly. */
#ifndef EDGEPRUNE_BENCH_EXIT_H
#define EDGEPRUNE_BENCH_EXIT_H

#include <stddef.h>

enum { EXIT_DONE = 0, EXIT_USAGE = 2, EXIT_MISMATCH = 3, EXIT_IO = 4, EXIT_MODEL = 5 };

/* Writes all of it, however often the system interrupts; returns 0, or -1 if it cannot. */
int write_all(int descriptor, const void *data, size_t bytes);

/* Writes "MODEL-bench: WHAT WHICH" as one line and returns `code`. */
int complain(int code, const char *what, const char *which);

/* The same for an error code that the network returned. */
int complain_of_model(int status);

#endif
