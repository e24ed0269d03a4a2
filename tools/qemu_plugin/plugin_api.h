/*
 * The few names of QEMU's TCG plugin interface that count.c uses, written down here because distributions ship
 * plugin-capable QEMUs without a header. Their binary form has been the same since QEMU 5.2; the symbols are resolved
 * from the QEMU executable when it loads the plugin. See "QEMU TCG Plugins" in QEMU's developer documentation.
 */
#ifndef EDGEPRUNE_PLUGIN_API_H
#define EDGEPRUNE_PLUGIN_API_H

#include <stddef.h>
#include <stdint.h>

#define PLUGIN_EXPORT __attribute__((visibility("default")))

/* QEMU before 9.0 accepts interface version 1 and lower, QEMU from 9.0 on 2 and higher; the build says which. */
#ifndef EDGEPRUNE_PLUGIN_VERSION
#error "define EDGEPRUNE_PLUGIN_VERSION: 1 for QEMU before 9.0, 2 from 9.0 on"
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

typedef void (*block_translated_t)(qemu_plugin_id_t id, struct qemu_plugin_tb *block);
typedef void (*executed_t)(unsigned int vcpu, void *user);
typedef void (*syscall_t)(qemu_plugin_id_t id, unsigned int vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                          uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8);
typedef void (*exit_t)(qemu_plugin_id_t id, void *user);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, block_translated_t call);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *instruction, executed_t call,
                                            enum qemu_plugin_cb_flags flags, void *user);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t id, syscall_t call);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_t call, void *user);

/* Defined by the plugin, called by QEMU. */
extern PLUGIN_EXPORT int qemu_plugin_version;
PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int count, char **arguments);

#endif
