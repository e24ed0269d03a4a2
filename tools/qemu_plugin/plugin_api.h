/*
 * The few names of QEMU's TCG plugin interface that are used here, written down because distributions ship plugin-capable
 * QEMUs without a header. Their binary form has been the same since QEMU 5.2, but for reading an instruction's bytes,
 * which changed with interface 3. The symbols are resolved from the QEMU executable when it loads the plugin. See "QEMU
 * TCG Plugins" in QEMU's developer documentation.
 */
#ifndef EDGEPRUNE_PLUGIN_API_H
#define EDGEPRUNE_PLUGIN_API_H

#include <stddef.h>
#include <stdint.h>

#define PLUGIN_EXPORT __attribute__((visibility("default")))

/* QEMU before 9.0 accepts interface 1 and lower, 9.0 has 2, and QEMU from 9.1 on takes 3; the build says which. */
#ifndef EDGEPRUNE_PLUGIN_VERSION
#error "define EDGEPRUNE_PLUGIN_VERSION: 1 for QEMU before 9.0, 2 for 9.0, 3 from 9.1 on"
#endif

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;   /* a block of guest instructions being translated */
struct qemu_plugin_insn; /* one of them */

/* The beginning of QEMU's structure; what follows in it is not needed. */
typedef struct {
    const char *target_name; /* "aarch64", "arm", "x86_64", ... */
    struct {
        int minimum, current;
    } version;
} qemu_info_t;

enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS = 0 };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_R = 1, QEMU_PLUGIN_MEM_W, QEMU_PLUGIN_MEM_RW };
typedef uint32_t qemu_plugin_meminfo_t; /* size and direction of an access, packed */

typedef void (*block_translated_t)(qemu_plugin_id_t id, struct qemu_plugin_tb *block);
typedef void (*executed_t)(unsigned int vcpu, void *user);
typedef void (*accessed_t)(unsigned int vcpu, qemu_plugin_meminfo_t access, uint64_t address, void *user);
typedef void (*syscall_t)(qemu_plugin_id_t id, unsigned int vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                          uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8);
typedef void (*exit_t)(qemu_plugin_id_t id, void *user);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, block_translated_t call);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *instruction);
#if EDGEPRUNE_PLUGIN_VERSION >= 3
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction, void *bytes, size_t room);
#else
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction);
#endif
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *instruction, accessed_t call,
                                      enum qemu_plugin_cb_flags flags, enum qemu_plugin_mem_rw which, void *user);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *instruction, executed_t call,
                                            enum qemu_plugin_cb_flags flags, void *user);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t id, syscall_t call);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_t call, void *user);

/* Defined by the plugin, called by QEMU. */
extern PLUGIN_EXPORT int qemu_plugin_version;
PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int count, char **arguments);

#endif
