/*
 * A core's table: units, latencies, issue rules, caches. Every number that is not certain has three values (low, nominal,
 * high), and the model runs once with each set, so that the range of its answer is known beside the answer.
 *
 * The table is a text file of lines "key value ...", written by edgeprune from the core's TOML file, where each number
 * has its source:
 *
 *     order in|out                          in order, or out of order with a window
 *     width N                               instructions issued (in order) or dispatched (out of order) per cycle
 *     window N                              reorder buffer, out of order only
 *     taken A B C                           cycles without issue after a taken branch
 *     mispredicted A B C                    the same after a wrongly predicted one
 *     store_late A B C                      how much later than its address a store needs its data
 *     linefills A B C                       cache misses under way at once
 *     unit NAME PIPES                       before the operations that use it
 *     cache BYTES WAYS LINE                 nearest first
 *     miss LEVEL A B C                      cycles a load takes longer when found at LEVEL (1: second cache, ...)
 *     streamed LEVEL A B C                  the same when the line follows its neighbour and a prefetcher can know it
 *     operation NAME UNIT PIPES CYCLES WIDTH PORT ISSUE A B C  latency; ISSUE is either, older or alone; "-": none
 *     address NAME A B C                    latency when the result forms an address; by default the latency
 *     addend NAME A B C                     latency from one multiply-accumulate to the addend of the next
 *     issue NAME A B C                      ISSUE where it is not certain
 */
#ifndef EDGEPRUNE_CORE_H
#define EDGEPRUNE_CORE_H

#include "instruction.h"

enum { VARIANTS = 3, MOST_UNITS = 16, MOST_PIPES = 4, MOST_LEVELS = 4, NO_UNIT = -1 };
enum issue { ISSUE_EITHER, ISSUE_OLDER, ISSUE_ALONE }; /* in a pair: any place; the first place; no pair */

struct timing {
    int latency[VARIANTS], address[VARIANTS], addend[VARIANTS];
    enum issue issue[VARIANTS];
    int unit, pipes, cycles; /* so many pipes of a unit, for so many cycles */
    int width;               /* of a pair or "many": transfers of 64 bits in that time */
    int port;                /* a second unit, one pipe for one cycle */
    bool known, has_addend;
};

struct core {
    bool out_of_order;
    int width, window, units, caches;
    int taken[VARIANTS], mispredicted[VARIANTS], store_late[VARIANTS], linefills[VARIANTS];
    struct { char name[24]; int pipes; } unit[MOST_UNITS];
    struct { unsigned int bytes, ways, line; } cache[MOST_LEVELS];
    int miss[MOST_LEVELS][VARIANTS], streamed[MOST_LEVELS][VARIANTS];
    struct timing operation[OP_COUNT];
};

/* Read a table; false with a message in `problem` when it is not a whole and correct one. */
bool core_read(const char *path, struct core *core, char *problem, unsigned int room);

#endif
