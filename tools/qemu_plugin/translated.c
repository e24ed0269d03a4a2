#include "translated.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1 << 16 };

static struct translated *bucket[BUCKETS];

static void bytes_of(struct qemu_plugin_insn *instruction, uint8_t bytes[4]) {
    size_t size = qemu_plugin_insn_size(instruction);
    memset(bytes, 0, 4);
#if EDGEPRUNE_PLUGIN_VERSION >= 3
    qemu_plugin_insn_data(instruction, bytes, size < 4 ? size : 4);
#else
    memcpy(bytes, qemu_plugin_insn_data(instruction), size < 4 ? size : 4);
#endif
}

/* As the decoders want it: T32's first halfword highest. */
static uint32_t word_of(const uint8_t bytes[4], unsigned int size, enum instruction_set set) {
    uint32_t low = bytes[0] | (uint32_t)bytes[1] << 8, high = bytes[2] | (uint32_t)bytes[3] << 8;
    if (size == 2) return low;
    return set == SET_T32 ? low << 16 | high : high << 16 | low;
}

static void decode(struct translated *translated) {
    if (translated->set == SET_A64) decode_a64(translated->word, &translated->decoded);
    else if (translated->set == SET_A32) decode_a32(translated->word, &translated->decoded);
    else decode_t32(translated->word, translated->bytes, &translated->decoded);
}

const struct translated *translate(struct qemu_plugin_insn *instruction, enum instruction_set set) {
    uint64_t address = qemu_plugin_insn_vaddr(instruction);
    unsigned int size = (unsigned int)qemu_plugin_insn_size(instruction);
    struct translated **place = &bucket[address / 2 % BUCKETS], *translated;
    uint8_t bytes[4];
    uint32_t word;
    bytes_of(instruction, bytes);
    word = word_of(bytes, size, set);
    for (translated = *place; translated != NULL; translated = translated->next)
        if (translated->address == address && translated->word == word && translated->set == set) return translated;
    translated = calloc(1, sizeof *translated);
    if (translated == NULL) return NULL;
    translated->address = address;
    translated->word = word;
    translated->bytes = (uint8_t)size;
    translated->set = (uint8_t)set;
    decode(translated);
    translated->next = *place;
    *place = translated;
    return translated;
}

/* A T32 instruction of 32 bits begins with a halfword of these; the low half of an A32 instruction may look the same. */
static bool may_be_thumb(struct qemu_plugin_insn *instruction) {
    uint8_t bytes[4];
    bytes_of(instruction, bytes);
    return bytes[1] >> 3 >= 0x1d;
}

/*
 * QEMU tells a plugin no execution state. A short instruction, or an address that is no multiple of four, is T32's only;
 * an instruction whose first halfword begins none of T32 is A32's. Where neither is seen, the state of the block before.
 */
bool block_is_thumb(struct qemu_plugin_tb *block) {
    static bool last;
    size_t instructions = qemu_plugin_tb_n_insns(block);
    bool all_may_be = true;
    for (size_t index = 0; index < instructions; index++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, index);
        if (qemu_plugin_insn_size(instruction) == 2 || qemu_plugin_insn_vaddr(instruction) % 4 != 0) return last = true;
        all_may_be = all_may_be && may_be_thumb(instruction);
    }
    return last = all_may_be && last;
}
