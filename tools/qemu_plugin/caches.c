#include "caches.h"

#include <stdlib.h>
#include <string.h>

enum { STREAMS = 16 }; /* neighbours remembered; more than any core here follows, the range covers the rest */

struct level {
    uint64_t *tags; /* sets x ways, the most recently used first; 0: empty, else the line's number plus one */
    uint64_t sets;
    unsigned int ways;
};

struct caches {
    struct level level[MOST_LEVELS];
    int levels;
    unsigned int line_bits;
    uint64_t missed[STREAMS], found[MOST_LEVELS];
    unsigned int next_missed;
};

struct caches *caches_new(const struct core *core) {
    struct caches *caches = calloc(1, sizeof *caches);
    if (caches == NULL) return NULL;
    caches->levels = core->caches;
    while ((1u << caches->line_bits) < core->cache[0].line) caches->line_bits++;
    for (int index = 0; index < core->caches; index++) {
        struct level *level = &caches->level[index];
        level->ways = core->cache[index].ways;
        level->sets = core->cache[index].bytes / core->cache[index].line / level->ways;
        level->tags = calloc(level->sets * level->ways, sizeof *level->tags);
        if (level->tags == NULL) {
            caches_free(caches);
            return NULL;
        }
    }
    return caches;
}

/* Whether the line was there; it is the most recently used one afterwards either way. */
static bool touch(struct level *level, uint64_t line) {
    uint64_t *set = level->tags + line % level->sets * level->ways;
    unsigned int way = 0;
    bool present;
    while (way < level->ways - 1 && set[way] != line + 1) way++;
    present = set[way] == line + 1;
    memmove(set + 1, set, way * sizeof *set);
    set[0] = line + 1;
    return present;
}

static bool follows_a_neighbour(struct caches *caches, uint64_t line) {
    bool follows = false;
    for (int index = 0; index < STREAMS && !follows; index++)
        follows = caches->missed[index] == line - 1 || caches->missed[index] == line + 1;
    caches->missed[caches->next_missed++ % STREAMS] = line;
    return follows;
}

struct found caches_access(struct caches *caches, uint64_t address) {
    uint64_t line = address >> caches->line_bits;
    struct found found = {0, false};
    if (caches->level[0].tags[line % caches->level[0].sets * caches->level[0].ways] == line + 1) { /* the usual case */
        caches->found[0]++;
        return found;
    }
    while (found.level < caches->levels && !touch(&caches->level[found.level], line)) found.level++;
    if (found.level > 0) found.streamed = follows_a_neighbour(caches, line);
    caches->found[found.level]++;
    return found;
}

uint64_t caches_found(const struct caches *caches, int level) { return caches->found[level]; }

void caches_forget_counts(struct caches *caches) { memset(caches->found, 0, sizeof caches->found); }

void caches_free(struct caches *caches) {
    if (caches == NULL) return;
    for (int index = 0; index < caches->levels; index++) free(caches->level[index].tags);
    free(caches);
}
