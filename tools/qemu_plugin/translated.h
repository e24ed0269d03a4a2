/* The instructions QEMU has translated, decoded once each and kept: a block is translated again and again. */
#ifndef EDGEPRUNE_TRANSLATED_H
#define EDGEPRUNE_TRANSLATED_H

#include "instruction.h"
#include "plugin_api.h"

struct translated {
    struct translated *next; /* of the same bucket */
    uint64_t address;
    uint32_t word;
    uint8_t bytes, set;
    struct instruction decoded;
};

/* NULL: out of memory. What it returns lives as long as the program. QEMU translates one block at a time. */
const struct translated *translate(struct qemu_plugin_insn *instruction, enum instruction_set set);

/* Whether a block of a 32-bit Arm guest is T32. */
bool block_is_thumb(struct qemu_plugin_tb *block);

#endif
