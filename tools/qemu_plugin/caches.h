/* The data caches of a core, as far as hits and misses go: sets of lines, the least recently used one replaced. */
#ifndef EDGEPRUNE_CACHES_H
#define EDGEPRUNE_CACHES_H

#include "core.h"

struct found {
    int level;     /* 0: the first cache; the number of caches: memory */
    bool streamed; /* the neighbouring line was missed shortly before, so that a prefetcher can be ahead */
};

struct caches;

struct caches *caches_new(const struct core *core); /* NULL: out of memory */
struct found caches_access(struct caches *caches, uint64_t address);
uint64_t caches_found(const struct caches *caches, int level);
void caches_forget_counts(struct caches *caches);
void caches_free(struct caches *caches);

#endif
