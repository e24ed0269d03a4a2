/*
 * The decoders, the caches and the pipeline as a library of their own, without QEMU: a piece of straight-line machine
 * code repeated as the body of a loop. Tests hold single rules against it, and the model is ranked against others by it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline.h"

#define PUBLIC __attribute__((visibility("default")))

static const char *const mix_names[MIX_COUNT] = {MIX_CLASSES(AS_STRING_COMMA)};
static const char *const operation_names[OP_COUNT] = {OPERATIONS(AS_STRING_COMMA)};

static void decode(int set, uint32_t word, unsigned int bytes, struct instruction *decoded) {
    if (set == SET_A64) decode_a64(word, decoded);
    else if (set == SET_A32) decode_a32(word, decoded);
    else decode_t32(word, bytes, decoded);
}

static int list(char *text, int room, const char *title, const uint8_t *numbers, unsigned int count) {
    int written = snprintf(text, (size_t)room, " %s", title);
    for (unsigned int index = 0; index < count; index++)
        written += snprintf(text + written, (size_t)(room - written), " %d", numbers[index]);
    return written;
}

/* One instruction in words: "mac fmac_q reads 34 35 33 writes 33 addend 1 beats 1 base 255". */
PUBLIC void edgeprune_describe(int set, uint32_t word, unsigned int bytes, char *text, int room) {
    struct instruction decoded;
    int written;
    decode(set, word, bytes, &decoded);
    written = snprintf(text, (size_t)room, "%s %s", mix_names[decoded.mix], operation_names[decoded.operation]);
    written += list(text + written, room - written, "reads", decoded.read, decoded.reads);
    written += list(text + written, room - written, "writes", decoded.written, decoded.writes);
    snprintf(text + written, (size_t)(room - written), " addend %d beats %d base %d", decoded.accumulated, decoded.beats,
             decoded.base);
}

/* Where each of the addresses is found, one after the other. */
PUBLIC int edgeprune_find(const char *table, const uint64_t *addresses, unsigned int count, int *levels, int *streamed,
                          char *problem, unsigned int room) {
    struct core core;
    struct caches *caches;
    if (!core_read(table, &core, problem, room) || (caches = caches_new(&core)) == NULL) return -1;
    for (unsigned int index = 0; index < count; index++) {
        struct found found = caches_access(caches, addresses[index]);
        levels[index] = found.level;
        streamed[index] = found.streamed;
    }
    caches_free(caches);
    return 0;
}

/*
 * Cycles of `turns` executions of the code, for the low, nominal and high values. All loads find their data at `level`.
 * A branch at the end is taken in every turn but the last.
 */
PUBLIC int edgeprune_replay(const char *table, int set, const uint32_t *words, unsigned int count, unsigned int turns,
                            int level, int streamed, uint64_t *cycles, char *problem, unsigned int room) {
    struct core core;
    struct pipeline *pipeline;
    struct instruction *decoded = calloc(count ? count : 1, sizeof *decoded);
    if (decoded == NULL || !core_read(table, &core, problem, room) || (pipeline = pipeline_new(&core)) == NULL) {
        free(decoded);
        return -1;
    }
    for (unsigned int index = 0; index < count; index++) decode(set, words[index], 4, &decoded[index]);
    for (unsigned int turn = 0; turn < turns; turn++) {
        for (unsigned int index = 0; index < count; index++) {
            bool jumps = decoded[index].mix == MIX_branch && index == count - 1 && turn < turns - 1;
            struct execution execution = {{level, streamed != 0}, 4 * (uint64_t)index, jumps};
            pipeline_step(pipeline, &decoded[index], &execution);
        }
    }
    for (int which = 0; which < VARIANTS; which++) cycles[which] = pipeline_cycles(pipeline, which);
    pipeline_free(pipeline);
    free(decoded);
    return 0;
}
